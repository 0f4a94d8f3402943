"""Kinds: every step there is, by the name that records call it."""

from cfgraph.learning.encoders.induced import InducedRule
from cfgraph.learning.encoders.layers import Convolutions, Mlp
from cfgraph.learning.encoders.nested import NestedTree
from cfgraph.learning.encoders.pictures import Embedding, Pixels
from cfgraph.learning.encoders.steps import Projection, Standardise, Step, UnitLength
from cfgraph.learning.encoders.variational import Variational

STEPS: dict[str, type[Step]] = {
    step.kind: step
    for step in (
        *(Standardise, UnitLength, Projection, Mlp, Convolutions, InducedRule, Variational, NestedTree),
        *(Pixels, Embedding),
    )
}
