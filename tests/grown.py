"""Hierarchies for tests, made without any source: a random linear rule on tuples, or a ragged random tree."""

import numpy as np

from cfgraph.model.cells import EXPANDED, FRONTIER, LEAF, Cells
from cfgraph.model.growth import grow
from cfgraph.model.hierarchy import Hierarchy


def linear_rule(rng, *, arity, dimension):
    """A rule ``T_wj = alpha_j T_w`` with random alphas."""
    alpha = rng.normal(size=(arity, arity, arity)) * 0.5 / np.sqrt(arity)

    def rule(frontier):
        return np.einsum("cik,ckd->cid", alpha[frontier.slot], frontier.parent_tuple)

    return rule


def grown_hierarchy(id, *, arity=3, dimension=2, depth=4, scale_factor=0.4, seed=0):
    """A whole hierarchy that a linear rule made, as the truth."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(1, arity, dimension))
    root = Cells.from_root(rng.normal(size=dimension))
    options = {"arity": arity, "scale_factor": scale_factor, "predicted": False}
    cells = grow(root, rule=lambda frontier: first, depth=min(depth, 1), **options)
    cells = grow(cells, rule=linear_rule(rng, arity=arity, dimension=dimension), depth=depth, **options)
    return Hierarchy(
        id=id,
        origin="test",
        dimension=dimension,
        arity=arity,
        scale_factor=scale_factor,
        residual_bound=float(np.linalg.norm(cells.residual, axis=1).max(initial=0.0)) + 1e-9,
        recipe={"source": "test", "seed": seed, "depth": depth, "arity": arity},
        cells=cells,
    )


def ragged_hierarchy(id, *, arity=2, depth=7, leaf_share=0.3, seed=0):
    """A hierarchy in which some cells of every level are leaves, with radii and sizes as data-built ones have."""
    from cfgraph.metric.distances import subtree_radii

    whole = grown_hierarchy(id, arity=arity, depth=depth, seed=seed)
    cells, rng = whole.cells, np.random.default_rng(seed + 1)
    leaf = rng.random(len(cells)) < leaf_share
    leaf[0] = False
    kept = np.ones(len(cells), dtype=bool)
    for row in range(1, len(cells)):
        kept[row] = kept[cells.parent[row]] and not leaf[cells.parent[row]]
    rank = np.cumsum(kept) - 1
    columns = cells.take(np.flatnonzero(kept))
    columns["parent"] = np.where(columns["parent"] < 0, -1, rank[columns["parent"]])
    columns["state"] = np.where(leaf[kept], LEAF, columns["state"]).astype(np.uint8)
    columns["size"] = _sizes(columns)
    ragged = Cells(**columns)
    ragged = ragged.with_columns(radius=subtree_radii(ragged))
    assert set(np.unique(ragged.state)) == {EXPANDED, FRONTIER, LEAF}
    return whole.replace(cells=ragged, data_built=True)


def _sizes(columns):
    size = np.where(columns["state"] == EXPANDED, 0, 5)
    for row in range(len(size) - 1, 0, -1):
        size[columns["parent"][row]] += size[row]
    return size


def assert_same_cells(found, expected):
    """Every column equal, bit for bit."""
    assert len(found) == len(expected)
    for name, column in expected.take(slice(None)).items():
        np.testing.assert_array_equal(getattr(found, name), column, err_msg=name)
    assert found.addresses == expected.addresses
