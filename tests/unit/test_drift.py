"""The tests of drift, held against SciPy's own and against chance."""

import numpy as np
import pytest
from scipy import stats

from cfgraph.comparing.drift import CELL_POINTS, different_shares, holm


def test_chi_square_is_that_of_the_table():
    a, b = np.array([400, 60, 1000]), np.array([90, 40, 120])
    found = different_shares(a, 2000, b, 500)
    for one, other, p in zip(a, b, found, strict=True):
        assert p == pytest.approx(stats.chi2_contingency([[one, 2000 - one], [other, 500 - other]], correction=False).pvalue)


def test_small_numbers_are_tested_exactly():
    found = different_shares(np.array([20, 20, 19, 0]), 1_000_000, np.array([1, 500, 0, 3]), 1000)
    share = 1000 / 1_001_000
    wanted = [2 * stats.binom.sf(0, 21, share), 2 * stats.binom.sf(499, 520, share), 1.0, 2 * stats.binom.sf(2, 3, share)]
    np.testing.assert_allclose(found, np.minimum(1, wanted), rtol=1e-9)


def test_no_test_where_nothing_can_differ():
    found = different_shares(np.array([10, 0, 5]), np.array([10, 5, 0]), np.array([20, 0, 6]), np.array([20, 7, 9]))
    assert np.isnan(found).all()


@pytest.mark.parametrize(("of", "other"), [(2000, 500), (100_000, 200), (300, 300)])
def test_p_values_are_no_smaller_than_they_should_be(of, other):
    """At the levels that Holm asks of hundreds of cells, too."""
    rng = np.random.default_rng(0)
    share = rng.uniform(0.0005, 0.3, size=200_000)
    a, b = rng.binomial(of, share), rng.binomial(other, share)
    p = different_shares(a, of, b, other)[a + b >= CELL_POINTS]
    for level in (0.05, 0.01, 1e-3):
        assert np.mean(p < level) < 1.15 * level


def test_holm():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(holm(p), [0.03, np.nan, 0.06, 0.06, 0.02])
    assert len(holm(np.empty(0))) == 0
