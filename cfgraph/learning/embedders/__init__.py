"""Embedders: networks of others that give a row of numbers for an image, by name or from a file.

Their libraries are loaded here alone, each when a model of its is named. Weights stay where they are: what is kept of a model
is its name, the SHA-256 of its weights, and how images are prepared for it.
"""

from cfgraph.learning.embedders.cache import EmbeddingCache
from cfgraph.learning.embedders.embed import Embedded, embed
from cfgraph.learning.embedders.embedder import Embedder, Preparation
from cfgraph.learning.embedders.find import FORMS, find_embedder

__all__ = ["FORMS", "Embedded", "Embedder", "EmbeddingCache", "Preparation", "embed", "find_embedder"]
