"""cfgraph.testing: the checks pass for every part of our own, and each fails for one that is broken in what it asks about."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from cfgraph import sources
from cfgraph.errors import AddressError, InputError
from cfgraph.formats.folders.place import Place
from cfgraph.formats.folders.reader import FolderReader
from cfgraph.model.growth import observe
from cfgraph.model.reader import CellsReader
from cfgraph.predictors import FAMILIES, NETWORKS, NetworkOptions, fit_predictor
from cfgraph.predictors.baselines import Affine, Mean, Zero
from cfgraph.predictors.registry import find_family
from cfgraph.sources.ifs import field
from cfgraph.testing import check_predictor, check_reader, check_source
from cfgraph.transfer.fields import write_field
from tests.grown import grown_hierarchy
from tests.trees import smooth_cells

QUICK = NetworkOptions(width=8, hidden=2, steps=60, polish=20)


def test_names_are_loaded_when_they_are_used():
    import cfgraph.testing as package

    assert all(callable(getattr(package, name)) for name in package.__all__)
    with pytest.raises(AttributeError, match="it has check_engine"):
        package.check_nothing  # noqa: B018 - the look-up is the test


# -- predictors


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in NETWORKS])
def test_a_family_of_our_own_passes(family):
    assert check_predictor(find_family(family)).family == family


@pytest.mark.parametrize("family", NETWORKS)
def test_a_network_that_was_fitted_passes(family):
    pytest.importorskip("torch")
    observed, tuples = observe(smooth_cells(3), arity=4)
    how = {"scale_factor": 0.5, "residual_bound": 2.0, "options": QUICK}
    fitted = fit_predictor(family, observed=observed, tuples=tuples, **how)
    assert check_predictor(fitted) is fitted


@dataclass(frozen=True, eq=False, kw_only=True)
class Sound(Affine):
    """What the broken ones below are made of."""

    family: ClassVar[str] = "sound"


@dataclass(frozen=True, eq=False, kw_only=True)
class Noisy(Zero):
    family: ClassVar[str] = "noisy"
    noise: float

    @classmethod
    def learn(cls, observed, tuples, *, how):
        return {"noise": float(np.random.default_rng().random())}


def broken(name, kind=Sound, **methods):
    """A family that does something else than it should."""
    return type(name, (kind,), {"family": "broken", **methods})


DRAWN = np.random.default_rng(0)


def shifted(self, frontier):
    return Sound._tuples(self, frontier) + DRAWN.normal()


def looks_at_others(self, frontier):
    return Sound._tuples(self, frontier) * 0.5 + frontier.center.mean() * 0.1


def by_order(self, frontier):
    return np.full((len(frontier), self.arity, self.dimension), 0.001) * np.arange(len(frontier))[:, None, None]


def writes(self, frontier):
    frontier.center[:] = 0.0
    return Sound._tuples(self, frontier)


def forgets_whole_families(self, frontier):
    tuples = Sound._tuples(self, frontier)
    return tuples * 0.5 if frontier.family is None else tuples


def beyond_the_bound(self, frontier):
    return np.full((len(frontier), self.arity, self.dimension), 10.0 * self.residual_bound)


def by_slot(self, frontier):
    return np.repeat(frontier.residual[:, None], self.arity, axis=1) * 0.1


def unchecked(self, frontier):
    return self._tuples(frontier)


def refuses_roots(self, frontier):
    if (frontier.slot < 0).any():
        raise IndexError("no parent")
    return Sound._tuples(self, frontier)


def changed_weights(cls, weights, config, *, device):
    return cls(**config, **{name: array * 0.5 for name, array in weights.items()})


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (object, "expected a class of cfgraph.predictors.Predictor"),
        (broken("Nameless", family=""), "expected the class to have its family's name"),
        (Noisy, "learned twice from the same"),
        (
            broken("Unlearned", learn=classmethod(lambda cls, observed, tuples, how: {})),
            "expected learn to give the family's own",
        ),
        (broken("Random", _tuples=shifted), "asked again"),
        (broken("Neighbours", _tuples=looks_at_others), "expected the tuple that the cell gets among others"),
        (broken("Ordered", _tuples=by_order), "expected the tuple that the cell gets among others"),
        (broken("Writes", _tuples=writes), "predict changed it"),
        (broken("Forgetful", _tuples=forgets_whole_families), "whole families told as such"),
        (broken("Long", _tuples=beyond_the_bound, predict=unchecked), "expected residuals of at most"),
        (broken("Rooted", _tuples=refuses_roots), "a root and two levels below it to be grown, got IndexError: no parent"),
        (broken("Flat", predict=lambda self, frontier: np.zeros((len(frontier), 1))), "expected float64 of shape"),
        (broken("Listed", predict=lambda self, frontier: []), "got list"),
        (broken("Single", predict=lambda self, f: unchecked(self, f).astype(np.float32)), "got float32"),
        (broken("Infinite", predict=lambda self, f: unchecked(self, f) * np.inf), "expected finite residuals"),
        (
            broken("Shapeless", _tuples=lambda self, f: np.zeros((len(f), 2))),
            "expected predict to answer for 24 cells, got In",
        ),
        (
            broken("Tolerant", check_fits=lambda self, arity, dimension: None),
            "cells of arity 4 and dimension 3: expected Input",
        ),
        (broken("Steady", lipschitz=lambda self: 1e-9), "expected tuples to change by at most 1e-09"),
        (broken("Negative", lipschitz=lambda self: -1.0), "expected a Lipschitz constant of at least 0"),
        (broken("Claims", _tuples=by_slot, lipschitz=lambda self: 1.0), "looks at more than the center"),
        (broken("Kept", restore=classmethod(changed_weights)), "kept and restored"),
        (broken("Secret", weights=lambda self: {}), "expected restore to make the predictor"),
        (broken("Arrays", config=lambda self: {"x": np.zeros(2)}), "expected config.. to be JSON"),
        (broken("Empty", config=lambda self: {}), "expected config.. to hold"),
        (broken("Undescribed", describe=lambda self: {"nothing": float("nan")}), "expected describe.. to be JSON"),
        (broken("Numbers", weights=lambda self: {"offset": np.array([np.nan])}), "expected weights.. to be finite arrays"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_family_is_told(kind, told):
    with pytest.raises(AssertionError, match=told):
        check_predictor(kind)


def test_what_broken_families_are_made_of_is_sound():
    check_predictor(Sound)
    check_predictor(broken("Unchanged"))


# -- readers


@pytest.fixture(scope="module")
def known():
    return grown_hierarchy("it", arity=3, depth=4).cells


def test_readers_of_our_own_pass(known, tmp_path):
    check_reader(CellsReader(known), known)
    data = np.random.default_rng(3).normal(size=(60, 2))
    ragged = sources.points(id="ragged", data=data, arity=3, depth=4).cells
    check_reader(CellsReader(ragged), ragged)
    koch = field(id="koch", maps="koch", depth=4)
    write_field(koch, f"{tmp_path / 'koch'}/")
    check_reader(FolderReader(Place(str(tmp_path / "koch"))), koch.grow().cells)


class Broken(CellsReader):
    """A reader that answers as one likes."""

    def __init__(self, held, **other):
        super().__init__(held)
        self.__dict__["other"] = other

    @property
    def depth(self):
        return self.other.get("depth", super().depth)

    def count(self):
        return self.other.get("count", super().count())

    def read(self, *, top, depth):
        found = super().read(top=top, depth=depth)
        return self.other["read"](found, top, depth, self.held) if "read" in self.other else found

    def cells(self, addresses):
        found = super().cells(addresses)
        return self.other["cells"](found, addresses) if "cells" in self.other else found

    def children(self, addresses):
        found = super().children(addresses)
        return self.other["children"](found, addresses) if "children" in self.other else found


def rows(found, order):
    return {name: column[order] for name, column in found.items()}


def lenient(found, addresses):
    raise AddressError("there is no such cell")


def nothing_asked(found, addresses):
    return found if addresses else {"address": np.array(["/"])}


def without_top_residual(found, top, depth, held):
    residual = found.residual.copy()
    residual[0] = 0.0
    return replace(found, residual=residual)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"depth": 3}, "expected depth 4, got 3"),
        ({"count": 7}, "expected 121 cells, got 7"),
        ({"read": lambda found, top, depth, held: held}, r"read.top='/', depth=0.: expected 1 cells, got 121"),
        ({"read": lambda found, top, depth, held: replace(found, top="/0")}, "expected cells with that top, got '/0'"),
        ({"read": lambda found, top, depth, held: None}, "expected Cells, got NoneType"),
        ({"read": without_top_residual}, r"residual: expected \["),
        (
            {"read": lambda found, top, depth, held: replace(found, state=np.zeros_like(found.state))},
            "state: expected 1 in row",
        ),
        (
            {"read": lambda found, top, depth, held: replace(found, center=np.nextafter(found.center, 9))},
            r"read.top='/', depth=0., center: expected",
        ),
        ({"cells": lambda found, addresses: rows(found, np.argsort(found["address"].astype(str)))}, "cells: .* in that order"),
        ({"cells": lenient}, "cells: an answer, got AddressError"),
        ({"cells": nothing_asked}, "at no addresses: expected the cells .., in that order"),
        ({"cells": lambda found, addresses: {"center": found["center"]}}, "expected a column address"),
        (
            {"cells": lambda found, addresses: {name: found[name] for name in ("address", "center", "level")}},
            "expected a column scale",
        ),
        ({"children": lambda found, addresses: rows(found, slice(None, None, -1))}, "children: expected the cells"),
        ({"children": lambda found, addresses: {**found, "length": found["length"] * 2}}, "children, length: expected"),
    ],
)
def test_a_broken_reader_is_told(known, other, told):
    with pytest.raises(AssertionError, match=told):
        check_reader(Broken(known, **other), known)


def test_a_reader_that_invents_subtrees_is_told(known):
    class Inventive(CellsReader):
        def read(self, *, top, depth):
            return super().read(top="/" if "999999" in top else top, depth=depth)

    with pytest.raises(AssertionError, match="which is not there: expected AddressError, got Cells"):
        check_reader(Inventive(known), known)


def test_a_reader_for_one_thread_alone_is_told(known):
    import threading

    class Alone(CellsReader):
        thread = threading.get_ident()

        def children(self, addresses):
            if threading.get_ident() != self.thread:
                raise RuntimeError("used by another thread")
            return super().children(addresses)

    with pytest.raises(AssertionError, match="4 threads at once: an answer, got RuntimeError: used by another thread"):
        check_reader(Alone(known), known)


def test_what_is_no_reader_and_what_is_too_small_is_told(known):
    with pytest.raises(AssertionError, match="it has no depth"):
        check_reader(object(), known)
    with pytest.raises(AssertionError, match="at least two levels to check with, got 1"):
        check_reader(CellsReader(known), known.prefix(1))


# -- sources

POINTS = np.random.default_rng(7).normal(size=(40, 2))
MERGES = np.array([[0, 1, 0.5, 2], [2, 3, 0.75, 2], [4, 5, 2.0, 4]], dtype=float)
OWN = {
    "cfg": lambda id: sources.cfg(id=id, arity=3, depth=3),
    "ifs": lambda id: sources.ifs("koch", id=id, depth=3),
    "induced": lambda id: sources.induced(POINTS, id=id, depth=2),
    "points": lambda id: sources.points(POINTS, id=id, arity=3, depth=3),
    "linkage": lambda id: sources.linkage(MERGES, id=id),
    "edges": lambda id: sources.edges([("b", "a"), ("c", "a"), ("c", "b")], id=id),
}


@pytest.mark.parametrize("name", OWN)
def test_sources_of_our_own_pass(name):
    assert check_source(OWN[name]).origin == name


def koch(id, **changes):
    return sources.ifs("koch", id=id, depth=2).replace(**changes)


def moved(id):
    made = koch(id)
    center = made.cells.center.copy()
    center[3] += 1e-3
    return made.with_cells(made.cells.with_columns(center=center))


CALLS = iter(range(100))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda id: koch(id).cells, "expected a Hierarchy with its cells, got Cells"),
        (lambda id: koch(id).without_cells(), "expected a Hierarchy with its cells, got InputError"),
        (lambda id: koch("always"), "expected a hierarchy of the id that was asked for"),
        (lambda id: koch(id, state="growing"), "expected a hierarchy of state complete"),
        (lambda id: koch(id, origin=""), "expected an origin"),
        (moved, "expected sound cells: .*center"),
        (lambda id: koch(id, recipe={}), "expected a recipe that says how it was made"),
        (lambda id: koch(id, recipe={"data": POINTS}), "a recipe of texts, numbers, lists and tables"),
        (lambda id: koch(id, recipe={"shape": (2, 3)}), "expected a recipe that JSON keeps as it is"),
        (lambda id: koch(id, recipe={"call": next(CALLS)}), "expected the same recipe when it is made again"),
        (lambda id: koch(id, recipe={"id": id}), "expected a recipe without the id"),
        (
            lambda id: sources.cfg(id=id, arity=3, depth=2, seed=next(CALLS)).replace(recipe={"source": "drawn"}),
            "expected the same cells when they are made again",
        ),
        (lambda id: koch(id or "unnamed"), "an empty id: expected InputError"),
        (lambda id: 1 / 0, "expected the source to give a hierarchy, got ZeroDivisionError"),
    ],
)
def test_a_broken_source_is_told(make, told):
    with pytest.raises(AssertionError, match=told):
        check_source(make)


def test_another_error_than_the_one_expected_is_told():
    from cfgraph.testing.expected import expect_error

    with pytest.raises(AssertionError, match="it: expected InputError, got ZeroDivisionError"):
        expect_error(InputError, lambda: 1 / 0, "it")


def test_what_is_equal_is_told_by_its_first_row():
    from cfgraph.testing.expected import expect_equal

    expect_equal(np.array([1.0, np.nan]), np.array([1.0, np.nan]), "it")
    with pytest.raises(AssertionError, match="expected an array of shape"):
        expect_equal(np.zeros(2), np.zeros(3), "it")
    with pytest.raises(AssertionError, match=r"it: expected 2.0 in row 1, got 3.0"):
        expect_equal(np.array([1.0, 3.0, 5.0]), np.array([1.0, 2.0, 4.0]), "it")


def test_the_mean_is_learned_twice_alike():
    assert isinstance(check_predictor(Mean, seed=5), Mean)
