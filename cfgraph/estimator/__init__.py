"""Estimators: learners of hierarchies as scikit-learn knows clusterers, in pipelines and out of them, to the graph and back.

The one room that imports scikit-learn at its top, because its classes have bases there; ``cfgraph`` loads it when one of them
is first used.
"""

from cfgraph.estimator.dasgupta import DasguptaClustering
from cfgraph.estimator.field import ClassificationField
from cfgraph.estimator.hcrl import HCRL
from cfgraph.estimator.infohier import InfoHier

__all__ = ["HCRL", "ClassificationField", "DasguptaClustering", "InfoHier"]
