"""Encoders: raw data step by step into what a hierarchy's cells have centers in; new data goes the same way.

A step is a frozen value with arrays and settings. ``dump_encoder`` takes steps apart into the record that a store keeps,
``load_encoder`` puts them together on any machine.
"""

from cfgraph.learning.encoders.induced import InducedRule
from cfgraph.learning.encoders.kinds import STEPS
from cfgraph.learning.encoders.layers import Convolutions, Mlp
from cfgraph.learning.encoders.nested import NestedTree
from cfgraph.learning.encoders.pictures import Embedding, Pixels
from cfgraph.learning.encoders.pipeline import Pipeline, dump_encoder, load_encoder
from cfgraph.learning.encoders.steps import Projection, Standardise, Step, UnitLength
from cfgraph.learning.encoders.variational import Variational

__all__ = [
    "STEPS",
    "Convolutions",
    "Embedding",
    "InducedRule",
    "Mlp",
    "NestedTree",
    "Pipeline",
    "Pixels",
    "Projection",
    "Standardise",
    "Step",
    "UnitLength",
    "Variational",
    "dump_encoder",
    "load_encoder",
]
