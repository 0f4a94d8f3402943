"""Measures of whole tuples at once, as tests ask for them; the library adds them up window by window."""

import numpy as np

from cfgraph.comparing.measures import TupleMeasures, TupleSums


def measure_tuples(predicted: np.ndarray, true: np.ndarray) -> TupleMeasures:
    """All measures of predicted tuples against true ones, both of parents x arity x dimension."""
    return TupleSums.of(predicted, true).measures()
