"""A diff finds what was changed, and nothing else: held against changes of one's own making, and against sets of Python's."""

import json
import math

import numpy as np
import pytest

from cfgraph.comparing import sides
from cfgraph.comparing.diff import diff
from cfgraph.comparing.subtrees import Subtrees
from cfgraph.errors import InputError
from cfgraph.model.as_json import to_json
from cfgraph.model.dag import Dag
from cfgraph.sources.ifs import ifs
from cfgraph.sources.imported import imported
from cfgraph.transfer.export import export
from tests.grown import grown_hierarchy, ragged_hierarchy


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    """So that few cells have many pages."""
    monkeypatch.setattr(sides, "PAGE_CELLS", 7)


def counts(found):
    return {kind: one.count for kind, one in found.kinds.items()}


def with_column(hierarchy, name, row, value):
    """The same hierarchy with one value of one column changed."""
    column = getattr(hierarchy.cells, name).copy()
    column[row] = value
    return hierarchy.with_cells(hierarchy.cells.with_columns(**{name: column}), cell_of_point=hierarchy.cell_of_point)


def random_dag(id, *, nodes=60, names=None, seed=0, second=0, vectors=False):
    """A dag in which each node hangs below one of lower number, and some below a second one."""
    random = np.random.default_rng(seed)
    child = np.concatenate([np.arange(1, nodes), random.integers(nodes // 2, nodes, size=second)])
    parent = (random.random(len(child)) * child).astype(int)
    pairs = np.unique(np.stack([parent, child]), axis=1)
    names = [f"n{node}" for node in range(nodes)] if names is None else names
    return imported(Dag(nodes, *pairs, names=names), id=id, origin="edges")


# -- by address


@pytest.mark.parametrize("make", [grown_hierarchy, ragged_hierarchy], ids=["field", "ragged"])
def test_a_hierarchy_equals_another_of_the_same_cells(make):
    found = diff(make("one"), make("other"))
    assert found.equal
    assert (found.kinds, found.first_level, found.subtrees, found.described) == ({}, None, (), {})
    assert found.both == len(make("one").cells)


def test_levels_that_one_lacks():
    shallow, deep = ifs(id="shallow", maps="koch", depth=3), ifs(id="deep", maps="koch", depth=4)
    found = diff(shallow, deep)
    assert not found.equal
    assert counts(found) == {"only second": 4**4, "state": 4**3}
    assert found.first_level == 4  # that level 3 goes on is no difference of what its cells hold
    assert [(one.address, one.differ, one.cells) for one in found.subtrees] == [("/", 4**4, len(deep.cells))]
    back = diff(deep, shallow)
    assert counts(back) == {"only first": 4**4, "state": 4**3}
    assert found.kinds["state"].examples[0].detail == "Frontier -> Expanded"


@pytest.mark.parametrize("seed", range(3))
def test_what_moved_and_by_how_much_of_its_scale(seed):
    one = grown_hierarchy("one", depth=4)
    random = np.random.default_rng(seed)
    rows = random.choice(len(one.cells), size=5, replace=False)
    center = one.cells.center.copy()
    center[rows] += one.cells.scale[rows, None] * random.uniform(0.1, 1, size=(5, 2))
    other = one.with_cells(one.cells.with_columns(center=center))
    expected = {
        one.cells.addresses[row]: math.dist(center[row], one.cells.center[row]) / one.cells.scale[row] for row in rows.tolist()
    }
    found = diff(one, other)
    moved = found.kinds["moved"]
    assert {example.first: example.amount for example in moved.examples} == pytest.approx(expected)
    assert (moved.count, moved.largest, moved.mean) == (
        5,
        pytest.approx(max(expected.values())),
        pytest.approx(np.mean(list(expected.values()))),
    )
    assert [example.amount for example in moved.examples] == pytest.approx(sorted(expected.values(), reverse=True))
    assert found.first_level == one.cells.level[rows].min()
    between = sorted(expected.values())[2]
    assert diff(one, other, tolerance=between * 1.0001).kinds["moved"].count == 2
    assert diff(one, other, tolerance=between * 0.9999).kinds["moved"].count == 3
    assert diff(one, other, tolerance=2).equal


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [
        ("scale", 7.0, "scaled"),
        ("length", 7.0, "edge"),
        ("residual", [0.5, 0.5], "edge"),
        ("state", 2, "state"),
        ("predicted", True, "state"),
    ],
)
def test_every_column_is_looked_at(column, value, kind):
    one = grown_hierarchy("one", depth=3)
    row = one.cells.row("/2/1/0")
    found = diff(one, with_column(one, column, row, value))
    assert counts(found) == {kind: 1}
    assert found.kinds[kind].examples[0].first == "/2/1/0"
    assert not found.equal


def test_centers_as_large_as_numbers_can_be():
    one = grown_hierarchy("one", depth=2)
    far, farther = (with_column(one, "center", 3, [value, 0.0]) for value in (1e300, -1.7e308))
    found = diff(far, farther)
    assert counts(found) == {"moved": 1}
    text = to_json(diff(with_column(one, "center", 3, [1.7e308, 0.0]), farther))
    assert json.loads(text, parse_constant=pytest.fail)["kinds"]["moved"]["largest"] is None


def test_names_properties_and_second_parents():
    one = random_dag("one", second=20)
    cells = one.cells
    names = list(cells.names)
    names[5] = "\x1b[31mred"
    renamed = one.with_cells(cells.with_columns(own={**cells.own, "name": np.array(names, dtype=object)}))
    found = diff(one, renamed)
    assert counts(found) == {"renamed": 1}
    assert found.kinds["renamed"].examples[0].detail == f"{cells.names[5]!r} -> '\\x1b[31mred'"
    fewer = one.with_cells(cells.with_columns(links=cells.links.take(np.arange(2, len(cells.links))))).replace(
        links=len(cells.links) - 2
    )
    assert counts(diff(one, fewer)) == {"edge removed": 2}
    found = diff(fewer, one)
    assert counts(found) == {"edge added": 2}
    example = found.kinds["edge added"].examples[0]
    ends = {(cells.addresses[parent], cells.addresses[child]) for parent, child in zip(*cells.links.columns[:2], strict=True)}
    assert (example.detail.removeprefix("from "), example.first) in ends


def test_properties_that_only_one_has_or_that_differ():
    plain = Dag(3, np.array([0, 0]), np.array([1, 2]), names=["a", "b", "c"])
    sized = Dag(3, plain.parent, plain.child, names=plain.names, columns={"size_of": np.array([1, 2, 3])})
    other = Dag(3, plain.parent, plain.child, names=plain.names, columns={"size_of": np.array([1, 2, 4])})
    made = [imported(dag, id=f"h{number}", origin="edges") for number, dag in enumerate((plain, sized, other))]
    assert counts(diff(made[0], made[1])) == {"properties": 3}
    found = diff(made[1], made[2])
    assert counts(found) == {"properties": 1}
    assert found.kinds["properties"].examples[0].detail == "size_of"


def test_what_they_say_of_themselves():
    one = grown_hierarchy("one", depth=2)
    found = diff(one, one.replace(points=12))
    assert found.described == {"points": (one.points, 12)}
    assert not found.equal


def test_other_arities_are_refused_with_advice():
    with pytest.raises(InputError, match=r"arity 3 .* arity 2.*--by name"):
        diff(grown_hierarchy("one", arity=3), grown_hierarchy("other", arity=2))


def test_other_dimensions_are_said():
    one, other = grown_hierarchy("one", dimension=2), grown_hierarchy("other", dimension=3)
    found = diff(one, other)
    assert found.described["dimension"] == (2, 3)
    assert "not compared" in found.remarks[0]
    assert not found.equal


@pytest.mark.parametrize("seed", range(5))
def test_any_two_trees_against_sets(seed):
    """Trees of other shapes: cells of one alone are those that sets say, and those that are told."""
    one, other = (random_dag(id, seed=seed + place) for place, id in enumerate(("one", "other")))
    told = []
    found = diff(one, other, tell=told.append)
    first, second = set(one.cells.addresses), set(other.cells.addresses)
    assert {d.first for d in told if d.kind == "only first"} == first - second
    assert {d.second for d in told if d.kind == "only second"} == second - first
    assert (found.both, found.count("only first"), found.count("only second")) == (
        len(first & second),
        len(first - second),
        len(second - first),
    )
    name = [dict(zip(side.cells.addresses, side.cells.names, strict=True)) for side in (one, other)]
    assert {d.first for d in told if d.kind == "renamed"} == {a for a in first & second if name[0][a] != name[1][a]}
    assert len(told) == sum(kind.count for kind in found.kinds.values())
    assert sum(sum(level.kinds.values()) for level in found.levels) == len(told)
    assert found.first_level == min(d.level for d in told if d.kind != "state")


# -- by name


@pytest.mark.parametrize("seed", range(6))
def test_by_name_against_sets(seed):
    random = np.random.default_rng(seed)
    names = [f"n{node}" for node in range(60)]
    changed = [f"m{node}" if random.random() < 0.1 else name for node, name in enumerate(names)]
    one = random_dag("one", names=names, seed=seed, second=15)
    other = random_dag("other", names=changed, seed=seed + seed % 2, second=15)
    told = []
    found = diff(one, other, by="name", tell=told.append)
    (first, parents, edges), (second, others, more) = (by_sets(side) for side in (one, other))
    both = first.keys() & second.keys()
    assert found.both == len(both)
    assert {d.first for d in told if d.kind == "only first"} == {first[name] for name in first.keys() - both}
    assert {d.second for d in told if d.kind == "only second"} == {second[name] for name in second.keys() - both}
    assert {d.first for d in told if d.kind == "parent"} == {first[n] for n in both if parents[n] != others[n]}
    lost, new = (here - there for here, there in ((edges, more), (more, edges)))
    assert found.count("edge removed") == sum(child in both for _, child in lost)
    assert found.count("edge added") == sum(child in both for _, child in new)
    told_edges = {(d.detail.removeprefix("from "), d.first) for d in told if d.kind == "edge removed"}
    assert told_edges == {(first[parent], first[child]) for parent, child in lost if child in both}
    assert found.equal == (one.cells.addresses == other.cells.addresses and names == changed)


def by_sets(hierarchy):
    """Address and primary parent of each name, and all edges as pairs of names."""
    cells, names = hierarchy.cells, hierarchy.cells.names
    links = zip(cells.links.parent.tolist(), cells.links.child.tolist(), strict=True)
    primary = list(zip(cells.parent[1:].tolist(), range(1, len(cells)), strict=True))
    address = {name: place for name, place in zip(names, cells.addresses, strict=True) if name is not None}
    parents = {names[child]: names[parent] for parent, child in primary} | {names[0]: None}
    edges = {(names[a], names[b]) for a, b in (*primary, *links)}
    return address, parents, edges


def test_by_name_works_where_trees_have_other_arities():
    names = ["root", "a", "b", "c", "d"]
    star = imported(Dag(5, np.zeros(4, dtype=int), np.arange(1, 5), names=names), id="star", origin="edges")
    chain = imported(Dag(5, np.arange(4), np.arange(1, 5), names=names), id="chain", origin="edges")
    found = diff(star, chain, by="name")
    assert counts(found)["parent"] == 3  # b, c and d
    assert found.kinds["parent"].examples[0].detail.startswith("/ -> /0")
    assert found.both == 5
    assert diff(chain, chain, by="name").equal


def test_names_that_come_again_and_cells_without():
    one = imported(Dag(4, np.zeros(3, dtype=int), np.arange(1, 4), names=["root", "x", "y", None]), id="one", origin="edges")
    names = np.array(["root", "x", "x", None], dtype=object)
    one = one.with_cells(one.cells.with_columns(own={**one.cells.own, "name": names}))
    found = diff(one, one, by="name")
    assert found.equal
    assert found.both == 3
    assert any("no name" in remark for remark in found.remarks)
    assert any("one before them" in remark for remark in found.remarks)


def test_by_name_needs_names():
    with pytest.raises(InputError, match=r"know no names of cells.*--by address or --by points"):
        diff(grown_hierarchy("one"), grown_hierarchy("other"), by="name")


# -- by points


def clustering(id, sets, *, points):
    """A tree given by the sets of points of its cells, the whole first, each after those around it."""
    parent = [max((p for p in range(n) if sets[n] <= sets[p]), default=0) for n in range(1, len(sets))]
    dag = Dag(len(sets), np.array(parent), np.arange(1, len(sets)), node_of_point=lowest(sets, points))
    return imported(dag, id=id, origin="edges", points=True)


def lowest(sets, points):
    return np.array([max(n for n, held in enumerate(sets) if point in held) for point in range(points)])


def nested(random, *, points, splits):
    """Sets of points, each split off another."""
    sets = [frozenset(range(points))]
    for _ in range(splits):
        around = sorted(sets[random.integers(len(sets))])
        part = frozenset(random.choice(around, size=random.integers(1, len(around) + 1), replace=False).tolist())
        if part not in sets and all(part <= other or other <= part or not part & other for other in sets):
            sets.append(part)
    return sorted(sets, key=len, reverse=True)


def sets_by_address(hierarchy):
    cells = hierarchy.cells
    held = {address: set() for address in cells.addresses}
    for point, cell in enumerate(hierarchy.cell_of_point.tolist()):
        while cell >= 0:
            held[cells.addresses[cell]].add(point)
            cell = int(cells.parent[cell])
    return held


def partners_by_hand(first, second):
    """Equal sets; of the rest those of which each is the other's best, at one half at least; ties by address."""
    pairs = {a: b for a in sorted(first) for b in sorted(second) if first[a] and first[a] == second[b]}
    one, other = sorted(first.keys() - pairs.keys()), sorted(second.keys() - set(pairs.values()))
    share = {(a, b): len(first[a] & second[b]) / len(first[a] | second[b]) for a in one for b in other if first[a] | second[b]}
    best = {a: max(other, key=lambda b: share.get((a, b), 0)) for a in one if other}
    back = {b: max(one, key=lambda a: share.get((a, b), 0)) for b in other if one}
    return pairs | {a: b for a, b in best.items() if share.get((a, b), 0) >= 0.5 and back[b] == a}, share


@pytest.mark.parametrize("seed", range(20))
def test_by_points_against_sets(seed, monkeypatch):
    from cfgraph.comparing import overlaps

    monkeypatch.setattr(overlaps, "BLOCK_PAIRS", 40)
    random = np.random.default_rng(seed)
    one, other = (clustering(id, nested(random, points=24, splits=40), points=24) for id in ("one", "other"))
    first, second = (sets_by_address(side) for side in (one, other))
    pairs, share = partners_by_hand(first, second)
    told = []
    found = diff(one, other, by="points", tell=told.append)
    assert {d.first for d in told if d.kind == "only first"} == first.keys() - pairs.keys()
    assert {d.second for d in told if d.kind == "only second"} == second.keys() - set(pairs.values())
    assert found.both == len(pairs)
    overlapping = {d.first: (d.second, 1 - d.amount) for d in told if d.kind == "points"}
    assert {a: b for a, (b, _) in overlapping.items()} == {a: b for a, b in pairs.items() if first[a] != second[b]}
    assert all(jaccard == pytest.approx(share[a, b]) for a, (b, jaccard) in overlapping.items())
    assert diff(one, one, by="points").equal


def test_by_points_of_chains_and_of_cells_without_any():
    chain = Dag(4, np.array([0, 1, 0]), np.array([1, 2, 3]), node_of_point=np.array([2, 2]))
    one = imported(chain, id="one", origin="edges", points=True)
    found = diff(one, one, by="points")
    assert found.equal
    assert found.both == 3
    assert "1 cells of 'one' have no data points, and were left out" in found.remarks
    shorter = imported(Dag(2, np.array([0]), np.array([1]), node_of_point=np.array([1, 1])), id="shorter", origin="edges")
    assert diff(one, shorter, by="points").both == 2


def test_by_points_says_where_it_matches_equal_sets_alone(monkeypatch):
    from cfgraph.comparing import overlaps

    monkeypatch.setattr(overlaps, "PAIRS_MAX", 1)
    one = clustering("one", [frozenset(range(6)), frozenset({0, 1, 2})], points=6)
    other = clustering("other", [frozenset(range(6)), frozenset({0, 1, 2, 3})], points=6)
    found = diff(one, other, by="points")
    assert counts(found) == {"only first": 1, "only second": 1}
    assert any("equal sets" in remark for remark in found.remarks)


def test_by_points_needs_points():
    with pytest.raises(InputError, match="know no data points"):
        diff(random_dag("one", second=1), random_dag("other", second=1), by="points")


# -- subtrees


def test_subtrees_that_account_for_most():
    one = grown_hierarchy("one", arity=3, depth=5)
    center = one.cells.center.copy()
    below = {top: [row for row, a in enumerate(one.cells.addresses) if f"{a}/".startswith(f"{top}/")] for top in ("/2/1", "/0")}
    center[below["/2/1"]] += 1
    found = diff(one, one.with_cells(one.cells.with_columns(center=center)))
    assert [(part.address, part.differ, part.share) for part in found.subtrees] == [("/2/1", len(below["/2/1"]), 1.0)]
    center[below["/0"]] += 1
    found = diff(one, one.with_cells(one.cells.with_columns(center=center)))
    assert [(part.address, part.differ) for part in found.subtrees] == [
        ("/0", len(below["/0"])),
        ("/2/1", len(below["/2/1"])),
    ]


def test_subtrees_keep_few_and_lose_none(monkeypatch):
    """As an exhaustive search finds them, where most of what was heavy once has become light."""
    monkeypatch.setattr("cfgraph.comparing.subtrees.KEPT", 2)
    random = np.random.default_rng(0)
    addresses = sorted(grown_hierarchy("one", arity=3, depth=5).cells.addresses)
    for share in (0.02, 0.2, 0.9):
        differs = {address: bool(random.random() < share * (3 if address.startswith("/2") else 0.3)) for address in addresses}
        subtrees = Subtrees("both")
        for low in range(0, len(addresses), 5):
            subtrees.add((address, differs[address]) for address in addresses[low : low + 5])
        total = sum(differs.values())
        assert subtrees.differing == total
        found = subtrees.heaviest(total=total)
        assert {(part.address, part.differ, part.cells) for part in found} == set(exhaustive("/", addresses, differs, total))


def exhaustive(top, addresses, differs, total):
    inside = [a for a in addresses if top == "/" or a == top or a.startswith(f"{top}/")]
    count = sum(differs[a] for a in inside)
    if 2 * count >= len(inside):
        return [(top, count, len(inside))]
    children = [a for a in inside if a != top and a.rpartition("/")[0] == top.rstrip("/")]
    heavy = [c for c in children if 10 * sum(differs[a] for a in addresses if f"{a}/".startswith(f"{c}/")) >= total]
    rest = count - sum(differs[a] for a in addresses for c in heavy if f"{a}/".startswith(f"{c}/"))
    own = [(top, rest, len(inside))] if 10 * rest >= total else []
    return own + [found for child in heavy for found in exhaustive(child, addresses, differs, total)]


# -- what is asked


def test_files_and_what_is_no_source(tmp_path):
    one = grown_hierarchy("one", depth=3)
    export(one, output=tmp_path / "one.parquet")
    assert diff(one, tmp_path / "one.parquet").equal
    assert counts(diff(tmp_path / "one.parquet", with_column(one, "scale", 3, 9.0))) == {"scaled": 1}
    with pytest.raises(InputError, match="only a store knows"):
        diff("one", one)
    with pytest.raises(InputError, match="holds no cells"):
        diff(one.without_cells(), one)
    with pytest.raises(InputError, match="expected the id of a hierarchy"):
        diff(7, one)
    with pytest.raises(InputError):
        diff(one, tmp_path / "missing.parquet")


def test_numbers_that_make_no_sense():
    one = grown_hierarchy("one", depth=1)
    for asked in ({"tolerance": -1}, {"tolerance": math.nan}, {"examples": -1}, {"by": "magic"}):
        with pytest.raises(InputError):
            diff(one, one, **asked)


def test_a_hierarchy_of_its_root_alone():
    root = ifs(id="root", maps="koch", depth=0)
    assert diff(root, root).equal
    assert counts(diff(root, ifs(id="more", maps="koch", depth=1))) == {"only second": 4, "state": 1}


def test_examples_are_as_many_as_asked_for():
    one = ifs(id="one", maps="koch", depth=2)
    moved = one.with_cells(one.cells.with_columns(center=one.cells.center + 1))
    for examples in (0, 1, 4):
        assert len(diff(one, moved, examples=examples).kinds["moved"].examples) == examples


def test_progress_is_told():
    one, seen = grown_hierarchy("one", depth=3), []
    diff(one, one, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2 * len(one.cells), 2 * len(one.cells))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
