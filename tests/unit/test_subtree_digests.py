"""Digests of subtrees, found in one pass over pages, held against sums over each subtree by itself."""

import numpy as np
import pytest

from cfgraph.model.address import ROOT, level_of
from cfgraph.model.hashes import LANES, hash_of_texts, hashes_of, words_of_numbers
from cfgraph.model.subtree_digests import KEPT, Digester, bytes_of, cut_step


def a_tree(random, *, cells, chain):
    """The addresses of a random tree in key order: each cell hangs below the last one by some chance, else below any."""
    addresses, children = [ROOT], {ROOT: 0}
    while len(addresses) < cells:
        parent = addresses[-1] if random.random() < chain else addresses[random.integers(len(addresses))]
        child = f"{'' if parent == ROOT else parent}/{children[parent]}"
        children[parent] += 1
        children[child] = 0
        addresses.append(child)
    return sorted(addresses)


def rows_below(address, addresses):
    stem = "" if address == ROOT else address
    return [row for row, other in enumerate(addresses) if other == address or other.startswith(f"{stem}/")]


def digested(addresses, hashes, frontier, *, step, pages, known=()):
    """What a digester tells, by address; the subtrees of ``known`` digests are skipped."""
    found, level = {}, np.array([level_of(address) for address in addresses])

    def tell(digest):
        assert digest.address not in found
        found[digest.address] = digest

    digester, row = Digester(step=step, tell=tell), 0
    bounds = sorted({*pages, len(addresses)})
    skipped = {addresses.index(one.address): (one, len(rows_below(one.address, addresses))) for one in known}
    while row < len(addresses):
        if row in skipped:
            digester.skip(skipped[row][0])
            row += skipped[row][1]
            continue
        end = min(one for one in [*bounds, *skipped] if one > row)
        part = slice(row, end)
        digester.add(addresses[part], level=level[part], hashes=hashes[part], frontier=frontier[part])
        row = end
    digester.end()
    return found


def a_random_case(seed):
    random = np.random.default_rng(seed)
    addresses = a_tree(random, cells=int(random.integers(1, 1500)), chain=random.choice([0.0, 0.5, 0.9, 0.99]))
    hashes = random.integers(0, 2**64, size=(len(addresses), 2 * LANES), dtype=np.uint64)
    frontier = random.random(len(addresses)) < 0.5
    pages = random.integers(0, len(addresses), size=random.integers(6)).tolist()
    return addresses, hashes, frontier, pages


@pytest.mark.parametrize("seed", range(15))
def test_digests_are_sums_over_subtrees(seed):
    addresses, hashes, frontier, pages = a_random_case(seed)
    step = seed % 4 + 1
    found = digested(addresses, hashes, frontier, step=step, pages=pages)
    level = np.array([level_of(address) for address in addresses])
    assert ROOT in found
    for address, weight in weights(addresses, found, step=step).items():
        assert (address in found) == (address == ROOT or weight >= KEPT)
    for address, digest in found.items():
        rows = rows_below(address, addresses)
        part = [row for row in rows if level[row] < level_of(address) + step]
        assert digest.level % step == 0
        assert list(digest.cells) == np.bincount(level[rows] - level_of(address)).tolist()
        assert digest.content + digest.state == bytes_of(hashes[rows].sum(axis=0))
        assert digest.part_content + digest.part_state == bytes_of(hashes[part].sum(axis=0))
        mine = [level[row] - level_of(address) for row in rows if frontier[row]]
        assert list(digest.frontier) == np.bincount(mine).tolist()


def above(address):
    """A cell and all above it, from itself on."""
    while address != ROOT:
        yield address
        address = address[: address.rindex("/")] or ROOT
    yield ROOT


def weights(addresses, found, *, step):
    """How many things lie at and below each cell on a cut: cells outside of kept subtrees, and topmost kept ones."""
    total = dict.fromkeys((address for address in addresses if level_of(address) % step == 0), 0)
    for address in addresses:
        for one in above(address):
            if one in total:
                total[one] += 1
            if one in found:
                break
    for address in found:
        for one in list(above(address))[1:]:
            if one in total:
                total[one] += 1
            if one in found:
                break
    return total


@pytest.mark.parametrize("seed", range(10))
def test_what_is_known_of_some_subtrees_is_enough(seed):
    addresses, hashes, frontier, pages = a_random_case(seed)
    whole = digested(addresses, hashes, frontier, step=2, pages=[])
    random = np.random.default_rng(seed)
    known = [one for one in whole.values() if one.address != ROOT and random.random() < 0.5]
    names = {one.address for one in known}
    tops = [one for one in known if not names.intersection(list(above(one.address))[1:])]
    rest = digested(addresses, hashes, frontier, step=2, pages=pages, known=tops)
    inside = {addresses[row] for one in tops for row in rows_below(one.address, addresses)}
    assert rest == {address: one for address, one in whole.items() if address not in inside}


def test_a_deeper_hierarchy_has_the_same_parts():
    random = np.random.default_rng(0)
    shallow, deep = ([a for a in complete(7) if level_of(a) <= depth] for depth in (6, 7))
    hashes = {address: random.integers(0, 2**64, size=4, dtype=np.uint64) for address in deep}
    found = [
        digested(tree, np.array([hashes[a] for a in tree]), np.zeros(len(tree), dtype=bool), step=3, pages=[100])
        for tree in (shallow, deep)
    ]
    common = found[0].keys() & found[1].keys()
    assert len(common) == 1 + 4**3
    for address in common:
        if level_of(address) < 6:
            assert found[0][address].part_content == found[1][address].part_content
            assert found[0][address].content != found[1][address].content


def complete(depth):
    level, found = [""], [ROOT]
    for _ in range(depth):
        level = [f"{stem}/{slot}" for stem in level for slot in range(4)]
        found += level
    return sorted(found)


def test_the_step_between_cuts():
    assert [cut_step(arity) for arity in (None, 1, 2, 3, 4, 5, 8, 63, 64, 1000)] == [1, 64, 6, 4, 3, 3, 2, 2, 1, 1]


def test_hashes_tell_texts_and_numbers_apart():
    texts = ["/", "/1", "/11", "/1/1", "/12345678", "/123456789/0", "/123456780/9"]
    assert len({tuple(one) for one in hash_of_texts(texts).tolist()}) == len(texts)
    assert hash_of_texts(texts[:2]).tolist() == hash_of_texts(texts)[:2].tolist()  # however long the others are
    numbers = words_of_numbers(np.array([[0.0, 1.0], [1.0, 0.0], [-0.0, 1.0], [0.0, -1.0]]))
    one, turned, same, other = (tuple(one) for one in hashes_of({"center": numbers}).tolist())
    assert one == same
    assert len({one, turned, other}) == 3
    assert one != tuple(hashes_of({"residual": numbers})[0].tolist())


def test_values_that_change_places_change_the_sum():
    """Two cells that swap a number are others than before, though all numbers are the same."""
    numbers = words_of_numbers(np.array([[1.0, 2.0], [3.0, 4.0]]))
    swapped = words_of_numbers(np.array([[3.0, 2.0], [1.0, 4.0]]))
    assert hashes_of({"center": numbers}).sum(axis=0).tolist() != hashes_of({"center": swapped}).sum(axis=0).tolist()


def test_hashes_are_the_same_on_every_machine():
    told = hashes_of({"text": words_of("/2/0"), "center": words_of_numbers(np.array([[0.5, -1.0]]))}).tolist()
    assert told == [[5327826177072805204, 11905198817020425685]]


def words_of(text):
    from cfgraph.model.hashes import words_of_texts

    return words_of_texts([text])
