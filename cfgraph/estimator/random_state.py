"""Random state: scikit-learn's word for a seed, as the sources' own seeds."""

import numbers

import numpy as np
from sklearn.utils import check_random_state

_SEED_MAX = 2**31 - 1  # what RandomState draws from, so that seeds are the same on every platform


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """A whole number as it is, so that it means what a source's seed means; else one that is drawn."""
    source = check_random_state(random_state)  # refuses what is none
    return int(random_state) if isinstance(random_state, numbers.Integral) else int(source.randint(_SEED_MAX))
