"""Logits: the merges are those of the method's description, followed point by point; and what no logits can be."""

import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from scipy.cluster.hierarchy import is_monotonic, is_valid_linkage
from scipy.special import log_softmax, softmax

from cfgraph.errors import InputError
from cfgraph.sources.logits import Merges, check_logits, logits_dag, mean_probabilities, merge_logits, read_logits

module = sys.modules[Merges.__module__]  # the package has the function under this name
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
TIE = 1e-12


def slow_gains(values, chances, predicted, inside):
    """rp, a point at a time."""
    gains = np.zeros(values.shape[1])
    outside = [c for c in range(values.shape[1]) if c not in inside]
    for x in np.flatnonzero(np.isin(predicted, inside)):
        rest = values[x, outside]
        if np.isneginf(rest).all():
            continue
        winner = int(rest.argmax())
        gains[outside[winner]] += softmax(rest)[winner]
    if gains.any():
        return gains
    for c in outside:
        gains[c] = sum(chances[x, c] * chances[x, inside].sum() for x in range(len(values)))
    return gains


def slow_merges(logits):
    """The method's description word by word: (G, other, height, affinity) of each merge; scores added up anew each time."""
    values = np.asarray(logits).astype(float)
    chances, predicted, count = softmax(values, axis=1), values.argmax(axis=1), values.shape[1]
    mean = [round(float(chances[predicted == c].max(axis=1).mean()), 12) if (predicted == c).any() else 0 for c in range(count)]
    groups, steps = {c: [c] for c in range(count)}, []
    while len(groups) > 1:
        scores = {number: round(sum(mean[c] for c in members), 12) for number, members in groups.items()}
        lowest = min(groups, key=lambda number: (scores[number], number))
        gains = slow_gains(values, chances, predicted, groups[lowest])
        means = {number: gains[members].mean() for number, members in groups.items() if number != lowest}
        best = max(means.values())
        other = min(number for number, value in means.items() if value >= best - TIE * best)
        steps.append((lowest, other, scores[lowest], means[other]))
        groups[count + len(steps) - 1] = groups.pop(lowest) + groups.pop(other)
    return steps


def check_against_slow(logits):
    merges, slow = merge_logits(logits), slow_merges(logits)
    assert list(zip(merges.group.tolist(), merges.other.tolist(), strict=True)) == [step[:2] for step in slow]
    np.testing.assert_allclose(merges.height, [step[2] for step in slow], rtol=1e-9)
    np.testing.assert_allclose(merges.affinity, [step[3] for step in slow], rtol=1e-9, atol=1e-300)
    return merges


def check_is_sound(merges):
    """What holds of all merges: SciPy finds them a valid, monotonic linkage; sizes add up."""
    members = np.ones(2 * merges.classes - 1)
    for node, (one, two) in enumerate(zip(merges.group, merges.other, strict=True), start=merges.classes):
        members[node] = members[one] + members[two]
    linkage = np.column_stack([merges.group, merges.other, merges.height, members[merges.classes :]])
    assert is_valid_linkage(linkage)
    assert is_monotonic(linkage)
    assert merges.size[-1] == len(merges.predicted)
    assert merges.size[: merges.classes].tolist() == np.bincount(merges.predicted, minlength=merges.classes).tolist()


def random_logits(seed, *, kind):
    """Small logits of one of several kinds; none of them is refused."""
    rng = np.random.default_rng(seed)
    points, classes = int(rng.integers(1, 40)), int(rng.integers(2, 12))
    values = 3 * rng.normal(size=(points, classes)) + 2
    if kind == "ties":
        values = rng.integers(0, 3, size=values.shape).astype(float) + 1
    if kind == "repeated":
        values = values[rng.integers(points, size=3 * points)]
    if kind == "empty":
        values[:, rng.random(classes) < 0.6] -= 30
    if kind == "impossible":
        values[rng.random(values.shape) < 0.5] = -np.inf
    if kind == "faint":
        values *= 300
    values[0, 0], values[0, 1] = 1.5, 2.5  # not all rows equal
    values[np.isneginf(values).all(axis=1), 0] = 0
    return values


KINDS = ["plain", "ties", "repeated", "empty", "impossible", "faint"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", range(0, 60, 20))
def test_merges_are_those_of_the_description(kind, first):
    for seed in range(first, first + 20):
        logits = random_logits(seed, kind=kind)
        check_is_sound(check_against_slow(logits))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4", np.longdouble, np.int8, np.int64])
def test_every_type_gives_what_its_numbers_give_as_float64(kind):
    values = (4 * np.random.default_rng(3).normal(size=(200, 9))).astype(kind)
    before = values.copy()
    merges = check_against_slow(values)
    wide = merge_logits(values.astype(float))
    assert merges.height.tolist() == wide.height.tolist()
    assert merges.affinity.tolist() == wide.affinity.tolist()
    assert (values == before).all()


@pytest.mark.parametrize("layout", ["columns", "every other", "list"])
def test_any_layout_will_do(layout):
    values = np.random.default_rng(4).normal(size=(60, 8))
    given = {"columns": np.asfortranarray(values), "every other": np.repeat(values, 2, axis=0)[::2], "list": values.tolist()}
    assert merge_logits(given[layout]).affinity.tolist() == merge_logits(values).affinity.tolist()


def test_numbers_by_hand():
    """Three classes, powers of two: probabilities (4, 2, 1)/7, (1, 4, 2)/7, (1, 2, 4)/7 and (1, 2, 4)/7."""
    logits = np.log([[4.0, 2, 1], [1, 4, 2], [1, 2, 4], [1, 2, 4]])
    merges = merge_logits(logits)
    assert merges.group.tolist() == [0, 2]  # all three scores are 4/7: the lowest id
    assert merges.other.tolist() == [1, 3]
    assert merges.affinity.tolist() == pytest.approx([Fraction(2, 3), Fraction(2, 3)])  # (1 of 2/3 and 1 of 2/3) / 2 classes
    assert merges.height.tolist() == pytest.approx([4 / 7, 4 / 7])
    assert merges.size.tolist() == [1, 1, 2, 2, 4]


@pytest.mark.parametrize("count", [2, 3, 5, 9, 17, 40])
def test_what_is_a_tie_stays_one_whatever_the_order_of_sums(count):
    merges = merge_logits(3.3 * np.eye(count) + 0.1)
    assert (merges.group[0], merges.other[0]) == (0, 1)
    check_against_slow(3.3 * np.eye(count) + 0.1)
    assert len(set(merges.height.tolist())) == 1  # each class by itself, in its turn, goes to the group of class 0


def test_a_single_point():
    merges = check_against_slow(np.array([[1.0, 3, 2, 0]]))
    assert merges.size.tolist() == [0, 1, 0, 0, 1, 1, 1]
    assert merges.height.tolist() == [0, 0, 0]  # the classes without points, one after the other


def test_two_classes():
    merges = check_against_slow(np.array([[1.0, 3], [4, 2], [0, 9]]))
    assert (merges.group.tolist(), merges.other.tolist(), merges.affinity.tolist()) == ([0], [1], [1.0])


def test_classes_without_points_merge_by_products_of_probabilities(monkeypatch):
    """Many of them, worked out in batches of any size: all the same."""
    rng = np.random.default_rng(7)
    logits = rng.normal(size=(80, 40)) @ rng.normal(size=(40, 40)) / 3
    logits[:, 5:] -= 25
    wanted = check_against_slow(logits)
    assert "35 of 40 classes" in wanted.notes[0]
    for most in (1, 2, 7):
        monkeypatch.setattr(module, "_AHEAD", most)
        merges = merge_logits(logits)
        assert (merges.group.tolist(), merges.other.tolist()) == (wanted.group.tolist(), wanted.other.tolist())


def test_products_for_many_groups_take_few_passes(monkeypatch):
    passes = []
    whole = module.sum_products
    monkeypatch.setattr(module, "sum_products", lambda *given, **named: passes.append(named) or whole(*given, **named))
    logits = np.random.default_rng(8).normal(size=(300, 120))
    logits[:, 20:] -= 30
    merge_logits(logits)
    assert 1 <= len(passes) <= 3
    passes.clear()
    certain = np.full((90, 90), -np.inf)  # every point is possible in its own class alone: no merge but by products
    np.fill_diagonal(certain, 3.0)
    merges = merge_logits(np.concatenate([certain, certain]))
    assert len(passes) <= 12
    assert merges.affinity.tolist() == [0] * 89
    check_is_sound(merges)


def test_a_point_with_nothing_possible_outside_adds_nothing():
    no = -np.inf
    logits = np.array([[2.0, no, no], [3, 1, no], [0, 4, 2], [no, 1, 9]])
    merges = check_against_slow(logits)
    assert merges.group[0] == 1
    alone = np.array([[5.0, no, no], [no, 6, 5.5], [no, 5, 6]])  # class 0 merges last, and by products that are all 0
    assert check_against_slow(alone).affinity.tolist()[-1] == 0


def test_chunks_do_not_show(monkeypatch):
    from cfgraph.sources import softmax as chunks

    logits = np.random.default_rng(5).normal(size=(500, 30)).astype(np.float32)
    wanted = merge_logits(logits)
    for numbers in (1, 30, 31 * 30):
        monkeypatch.setattr(chunks, "_NUMBERS", numbers)
        monkeypatch.setattr(chunks, "_NUMBERS_OF_PRODUCTS", numbers)
        merges = merge_logits(logits)
        assert merges.affinity.tolist() == wanted.affinity.tolist()
        assert mean_probabilities(logits) == pytest.approx(slow_mean_probabilities(logits))


def slow_mean_probabilities(logits):
    chances, predicted = softmax(logits.astype(float), axis=1), logits.argmax(axis=1)
    return np.array([chances[predicted == c].mean(axis=0) for c in range(logits.shape[1])])


def test_mean_probabilities_of_a_class_without_points_are_unknown():
    means = mean_probabilities(np.array([[3.0, 1, 0], [1, 2, 0]]))
    assert np.isnan(means).all(axis=1).tolist() == [False, False, True]
    assert means[0] == pytest.approx(softmax([3.0, 1, 0]))


# the cut


def slow_cut(merges, clusters):
    groups = {c: [c] for c in range(merges.classes)}
    for i in range(merges.classes - clusters):
        groups[merges.classes + i] = groups.pop(int(merges.group[i])) + groups.pop(int(merges.other[i]))
    ranked = sorted(groups.values(), key=min)
    return [next(label for label, members in enumerate(ranked) if c in members) for c in range(merges.classes)]


def test_cut_undoes_the_last_merges():
    merges = merge_logits(np.random.default_rng(12).normal(size=(50, 9)))
    for clusters in range(1, merges.classes + 1):
        assert merges.cut(clusters).tolist() == slow_cut(merges, clusters)
    assert merges.cut(merges.classes).tolist() == list(range(merges.classes))
    for wrong in (0, merges.classes + 1, 2.5):
        with pytest.raises(InputError, match=r"whole number.* as number of clusters"):
            merges.cut(wrong)


# the dag


def merges_of(pairs, heights, *, predicted, classes):
    """Merges as given, their affinities 0.5, 0.25, ..."""
    group, other = np.array(pairs).T
    size = np.bincount(predicted, minlength=2 * classes - 1)
    for i, (one, two) in enumerate(pairs):
        size[classes + i] = size[one] + size[two]
    affinity = 0.5 ** np.arange(1, classes)
    return Merges(group, other, np.array(heights), affinity, size=size, predicted=np.array(predicted))


CHAIN = merges_of([(2, 1), (4, 3), (0, 5)], [1.0, 1.9, 2.0], predicted=[0, 1, 1, 3, 0], classes=4)


def edges_of(dag):
    return list(zip(dag.parent.tolist(), dag.child.tolist(), strict=True))


def test_dag_of_merges():
    dag = logits_dag(CHAIN, names=["ant", "bee", "cat", "dog"])
    assert edges_of(dag) == [(4, 1), (4, 2), (5, 3), (5, 4), (6, 0), (6, 5)]
    assert dag.length.tolist() == pytest.approx([1, 1, 1.9, 0.9, 2, 0.1])
    assert (dag.count, dag.lengths) == (7, "height")
    assert dag.names == ["ant", "bee", "cat", "dog", None, None, None]
    assert dag.columns["height"].tolist() == [0, 0, 0, 0, 1, 1.9, 2]
    assert dag.columns["affinity"].tolist() == pytest.approx([np.nan] * 4 + [0.5, 0.25, 0.125], nan_ok=True)
    assert dag.columns["size"].tolist() == [2, 2, 0, 1, 2, 3, 5]
    assert dag.node_of_point.tolist() == [0, 1, 1, 3, 0]


def test_points_attached_below_their_classes():
    dag = logits_dag(CHAIN, attach=True)
    assert (dag.count, dag.names[:4], dag.names[7:]) == (12, ["0", "1", "2", "3"], ["0", "1", "2", "3", "4"])
    assert edges_of(dag)[:5] == [(0, 7), (0, 11), (1, 8), (1, 9), (3, 10)]
    assert edges_of(dag)[5:] == edges_of(logits_dag(CHAIN))
    assert dag.length[:5].tolist() == [0] * 5
    assert dag.columns["size"].tolist() == [2, 2, 0, 1, 2, 3, 5, 1, 1, 1, 1, 1]
    assert dag.node_of_point.tolist() == [7, 8, 9, 10, 11]
    assert {len(column) for column in dag.columns.values()} == {12}


@pytest.mark.parametrize(
    ("multiway", "wanted"),
    [
        (None, [(4, 1), (4, 2), (5, 3), (5, 4), (6, 0), (6, 5)]),
        (0, [(4, 1), (4, 2), (5, 3), (5, 4), (6, 0), (6, 5)]),
        (0.06, [(4, 1), (4, 2), (5, 0), (5, 3), (5, 4)]),  # 1.9 goes into 2.0
        (0.46, [(4, 1), (4, 2), (5, 0), (5, 3), (5, 4)]),  # 1.0 is within it of 1.9, which is no more
        (0.5, [(4, 0), (4, 1), (4, 2), (4, 3)]),
    ],
)
def test_multiway_dissolves_merges_of_nearly_equal_height(multiway, wanted):
    dag = logits_dag(CHAIN, multiway=multiway)
    assert edges_of(dag) == wanted
    assert dag.count == len(wanted) + 1 == len(dag.names)
    assert dag.columns["height"][-1] == 2
    assert dag.columns["size"][-1] == 5


@pytest.mark.parametrize("seed", range(8))
def test_dags_are_trees_whatever_is_dissolved(seed):
    merges = merge_logits(random_logits(seed, kind="empty"))
    for multiway in (None, 0, 0.2, 1):
        for attach in (False, True):
            dag = logits_dag(merges, multiway=multiway, attach=attach)
            assert sorted(dag.child.tolist()) == [node for node in range(dag.count) if node not in roots(dag)]
            assert len(roots(dag)) == 1
            assert (np.diff(dag.parent) >= 0).all()
            assert min(Counter(dag.parent.tolist()).values()) >= (1 if attach else 2)
            assert (dag.length >= 0).all()
    assert logits_dag(merges, multiway=1).count == merges.classes + 1


def roots(dag):
    return set(range(dag.count)) - set(dag.child.tolist())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"names": ["a", "b", "c"]}, "expected 4 names, one for each class .*, got 3"),
        ({"names": ["a", "b", "c", "a"]}, "different names for the classes, got 'a' 2 times"),
        ({"names": ["a", "", "c", "d"]}, "an empty one for class 1"),
        ({"multiway": 1.5}, "between 0 and 1, as multiway, got 1.5"),
        ({"multiway": "wide"}, "finite number as multiway"),
    ],
)
def test_dags_that_cannot_be(options, told):
    with pytest.raises(InputError, match=told):
        logits_dag(CHAIN, **options)


# what no logits can be


GOOD = np.array([[1.0, 2, 3], [3, 2, 1.5], [0, 4, -1]])


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros(5), r"points x classes in the array.* got shape \(5,\); reshape"),
        (np.zeros((2, 3, 4)), r"got shape \(2, 3, 4\)"),
        (np.zeros((0, 3)), r"at least one row of logits in the array, got an empty array of shape \(0, 3\)"),
        (np.ones((4, 1)), r"at least two classes in the array, got shape \(4, 1\); a single logit z .* columns 0 and z"),
        (np.array([["a", "b"]]), "expected numbers in the array, got an array of type <U1"),
        (np.array([[True, False]]), "got an array of type bool"),
        (np.array([[1j, 2]]), "got an array of type complex"),
        (np.zeros((7, 3)), "tell classes apart in the array, and in each of its 7 rows all of them are equal"),
        (
            np.vstack([GOOD, [[-np.inf] * 3] * 2]),
            "got 2 rows without one, the first row 3 .* which is minus infinity throughout",
        ),
        (np.vstack([GOOD, [[1, np.nan, 2]]]), "got 1 rows without one, the first row 3 .* which holds NaN"),
        (np.vstack([[[1, np.inf, 2]], GOOD]), "the first row 0 .* which holds plus infinity; leave such rows out"),
        (softmax(GOOD, axis=1), r"got probabilities .*take their logarithm: numpy.log\(probabilities\)"),
        (softmax(GOOD, axis=1).astype(np.float16), "got probabilities"),
    ],
)
def test_arrays_that_are_no_logits(array, told):
    with pytest.raises(InputError, match=told) as caught:
        merge_logits(array)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=told):
        mean_probabilities(array)


def test_log_probabilities_are_logits():
    wanted = merge_logits(GOOD)
    assert merge_logits(log_softmax(GOOD, axis=1)).affinity.tolist() == pytest.approx(wanted.affinity.tolist())


def test_rows_of_equal_logits_are_told():
    merges = check_against_slow(np.vstack([GOOD, np.ones((2, 3))]))
    assert merges.notes == ("2 rows, the first row 3, hold equal logits and count as class 0",)
    assert merges.predicted.tolist() == [2, 0, 1, 0, 0]
    assert logits_dag(merges).notes == merges.notes


# files


def test_every_file_gives_the_same_logits(tmp_path):
    values = np.random.default_rng(9).normal(size=(23, 4)).astype(np.float32)
    values[3, 2] = -np.inf
    np.save(tmp_path / "a.npy", values)
    np.save(tmp_path / "wide.npy", values.astype(float))
    np.savez(tmp_path / "a.npz", one=values)
    names = ["ant", "bee", "cat", "dog"]
    parquet.write_table(pa.table(dict(zip(names, values.T, strict=True))), tmp_path / "a.parquet", row_group_size=5)
    parquet.write_table(pa.table({"logits": list(values)}), tmp_path / "lists.parquet")
    for path in tmp_path.iterdir():
        table = read_logits(path)
        assert (table.values == values).all()
        assert table.values.dtype == (np.float64 if path.stem == "wide" else np.float32)
        assert table.names == (tuple(names) if path.name == "a.parquet" else None)
        assert table.digest == read_logits(tmp_path / "a.npy").digest
    np.savez(tmp_path / "two.npz", one=values, two=values[:5])
    assert len(read_logits(tmp_path / "two.npz", key="two").values) == 5
    picked = read_logits(tmp_path / "a.parquet", columns=["dog", "ant"])
    assert (picked.values == values[:, [3, 0]]).all()
    assert picked.digest != table.digest


def test_float16_stays_float16(tmp_path):
    np.save(tmp_path / "a.npy", GOOD.astype(np.float16))
    assert read_logits(tmp_path / "a.npy").values.dtype == np.float16


def test_an_array_of_floats_is_not_copied():
    for kind in (np.float16, np.float32, np.float64):
        values = GOOD.astype(kind)
        assert np.shares_memory(check_logits(values, where="it"), values)


def test_parquet_in_batches_says_the_right_row(tmp_path, monkeypatch):
    from cfgraph.files import columns

    monkeypatch.setattr(columns, "BATCH_NUMBERS", 8)
    values = np.arange(60.0).reshape(30, 2)
    table = {"x": values[:, 0].tolist(), "y": values[:, 1].tolist()}
    parquet.write_table(pa.table(table), tmp_path / "a.parquet")
    assert (read_logits(tmp_path / "a.parquet").values == values).all()
    table["y"][17] = None
    parquet.write_table(pa.table(table), tmp_path / "gap.parquet")
    refuse_file(r"missing value in row 17 \(counted from 0\) of column 'y'", tmp_path / "gap.parquet")
    lists = [[1.0, 2.0]] * 30
    parquet.write_table(pa.table({"v": [*lists[:19], [1.0], *lists[20:]]}), tmp_path / "ragged.parquet")
    refuse_file("lists of equal length .* got [12] values in row .* and [12] in row", tmp_path / "ragged.parquet")
    parquet.write_table(pa.table({"v": [*lists[:11], [1.0, None], *lists]}), tmp_path / "hole.parquet")
    refuse_file(r"missing value in value 23 \(counted from 0 through the lists\)", tmp_path / "hole.parquet")


def refuse_file(told, *arguments, **options):
    with pytest.raises(InputError, match=told) as caught:
        read_logits(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_files_that_hold_no_logits(tmp_path):
    refuse_file("there is no file .*; expected logits, a row each, in a file that ends in .npy, .npz", tmp_path / "none.npy")
    refuse_file(
        "there is no file .*; expected logits, a row each, in a file that ends in .npy, .npz, .parquet", tmp_path / "a.csv"
    )
    (tmp_path / "empty.npy").write_bytes(b"")
    refuse_file("is empty; expected logits, a row each", tmp_path / "empty.npy")
    (tmp_path / "text.npy").write_text("logits")
    refuse_file("is no .npy file of plain numbers", tmp_path / "text.npy")
    np.save(tmp_path / "flat.npy", np.zeros(4))
    refuse_file(r"points x classes in .*flat.npy.* got shape \(4,\)", tmp_path / "flat.npy")
    refuse_file("leave --key out", tmp_path / "flat.npy", key="it")
    refuse_file("leave --columns out", tmp_path / "flat.npy", columns=["it"])
    np.savez(tmp_path / "two.npz", one=GOOD, two=GOOD)
    refuse_file("holds 2 arrays; say which with --key: one, two", tmp_path / "two.npz")
    refuse_file("holds no array 'three'; it holds one, two", tmp_path / "two.npz", key="three")


# real classifiers


@pytest.mark.skipif(not SHARED.exists(), reason="needs the data beside the repository")
def test_cifar_classes_merge_as_the_description_says():
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    logits = np.load(SHARED / "cifar100_test_logprobs.npz", allow_pickle=False)["logp_wrn16_4"]
    official = np.load(SHARED / "cifar100_test.npz", allow_pickle=False)["fine_to_coarse"]
    merges = check_against_slow(logits)
    check_is_sound(merges)
    similarity = mean_probabilities(logits)
    distance = 1 - (similarity + similarity.T) / 2
    np.fill_diagonal(distance, 0)
    average = fcluster(linkage(squareform(distance), "average"), 20, criterion="maxclust")
    judged = [
        [round(float(measure(official, labels)), 3) for measure in (normalized_mutual_info_score, adjusted_rand_score)]
        for labels in (merges.cut(20), average)
    ]
    assert judged == [[0.772, 0.436], [0.825, 0.498]]


def dendrogram_purity(merges, predicted, labels):
    """The mean purity of the lowest common ancestor over all pairs of points of one label, one after the other."""
    below = [{c} for c in range(merges.classes)]
    for one, two in zip(merges.group, merges.other, strict=True):
        below.append(below[one] | below[two])
    counts = [Counter(labels[np.isin(predicted, list(members))].tolist()) for members in below]
    ancestor = {
        (a, b): next(node for node, members in enumerate(below) if {a, b} <= members) for a in below[-1] for b in below[-1]
    }
    purities = []
    for x in range(len(labels)):
        for y in np.flatnonzero(labels[:x] == labels[x]).tolist():
            found = counts[ancestor[int(predicted[x]), int(predicted[y])]]
            purities.append(found[labels[x]] / found.total())
    return np.mean(purities)


def test_digits_are_pure():
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from threadpoolctl import threadpool_limits

    X, y = load_digits(return_X_y=True)
    purities = []
    for seed in range(10):
        train, test, of_train, of_test = train_test_split(X / 16, y, random_state=seed, test_size=0.5)
        with threadpool_limits(1):  # threads for products this small take a hundred times as long on a busy machine
            model = LogisticRegression(max_iter=500).fit(train, of_train)
        merges = merge_logits(model.decision_function(test))
        purities.append(dendrogram_purity(merges, merges.predicted, of_test))
    assert purities[0] >= 0.90
    assert np.median(purities) >= 0.90
