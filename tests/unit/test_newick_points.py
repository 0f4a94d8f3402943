"""Leaves of a linkage without names are called by the numbers of their points in Newick."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage as merge

from cfgraph.formats.newick import read_newick, write_newick
from cfgraph.sources.linkage import linkage

POINTS = np.random.default_rng(5).normal(size=(7, 2))


def leaves(path):
    dag = read_newick(path)
    inner = np.bincount(dag.parent, minlength=dag.count) > 0
    return sorted(name for name, inside in zip(dag.names, inner.tolist(), strict=True) if not inside)


@pytest.mark.parametrize("method", ["single", "average", "ward", "centroid"])
@pytest.mark.parametrize("count", [2, 3, 7])
def test_leaves_are_points(method, count, tmp_path):
    write_newick(linkage(id="z", data=merge(POINTS[:count], method)), tmp_path / "z.nwk")
    assert leaves(tmp_path / "z.nwk") == [str(number) for number in range(count)]


def test_each_leaf_has_its_own_number(tmp_path):
    write_newick(linkage(id="z", data=np.array([[1, 2, 1.0, 2], [0, 3, 2.0, 3]])), tmp_path / "z.nwk")
    assert (tmp_path / "z.nwk").read_text() == "(0:2.0,(1:1.0,2:1.0):1.0);\n"


def test_names_that_are_given_stay(tmp_path):
    write_newick(linkage(id="z", data=merge(POINTS[:3], "single"), names=["u", "v", "w"]), tmp_path / "z.nwk")
    assert leaves(tmp_path / "z.nwk") == ["u", "v", "w"]
