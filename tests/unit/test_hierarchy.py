"""Hierarchy: what a field is and what is imported, with and without cells, always valid."""

import numpy as np
import pytest

from cfgraph.errors import InputError
from cfgraph.model.cells import Cells
from cfgraph.model.hierarchy import (
    FieldHierarchy,
    FieldWithCells,
    Hierarchy,
    HierarchyWithCells,
    ImportedHierarchy,
    ImportedWithCells,
    recipe_digest,
    same_recipe,
)

PLAIN = {"id": "it", "origin": "test", "dimension": 2, "residual_bound": 1.0, "recipe": {"source": "test"}}
FIELD = {**PLAIN, "arity": 3, "scale_factor": 0.5}
ROOT = Cells.from_root(np.zeros(2))


@pytest.mark.parametrize("kind", [Hierarchy, HierarchyWithCells])
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (PLAIN, ImportedHierarchy),
        (FIELD, FieldHierarchy),
        ({**PLAIN, "arity": None, "scale_factor": None, "cells": None, "lipschitz": None}, ImportedHierarchy),
        ({**PLAIN, "cells": ROOT}, ImportedWithCells),
        ({**FIELD, "cells": ROOT, "cell_of_point": None}, FieldWithCells),
    ],
)
def test_the_fields_say_which_it_is(kind, fields, expected):
    assert type(kind(**fields)) is expected


@pytest.mark.parametrize("name", ["arity", "scale_factor"])
def test_a_field_has_both_numbers(name):
    with pytest.raises(InputError, match="a field has both, an imported hierarchy has neither"):
        Hierarchy(**{**FIELD, name: None})


@pytest.mark.parametrize("fields", [PLAIN, FIELD])
def test_with_and_without_cells(fields):
    alone = Hierarchy(**fields)
    whole = alone.with_cells(ROOT, cell_of_point=np.array([0, -1]))
    assert whole.cells is ROOT
    assert whole.require_cells() is whole
    assert whole.without_cells() == alone
    assert whole.replace(state="writing").cells is ROOT
    assert whole.replace(state="writing").without_cells() == alone.replace(state="writing")
    assert whole.imported is alone.imported
    with pytest.raises(InputError, match="holds no cells; read them from the store first"):
        alone.require_cells()


@pytest.mark.parametrize("fields", [PLAIN, FIELD])
def test_cells_that_do_not_fit_are_refused_wherever_they_come_in(fields):
    alone, others = Hierarchy(**fields), Cells.from_root(np.zeros(3))
    whole = alone.with_cells(ROOT)
    attempts = [
        lambda: alone.with_cells(others),
        lambda: whole.with_cells(others),
        lambda: whole.replace(cells=others),
        lambda: whole.replace(dimension=3),
        lambda: Hierarchy(**fields, cells=others),
    ]
    for attempt in attempts:
        with pytest.raises(InputError, match=r"has dimension .*, its cells have "):
            attempt()
    with pytest.raises(InputError, match="data points in cells behind its last one, row 0"):
        alone.with_cells(ROOT, cell_of_point=np.array([0, 1]))


def test_only_a_field_can_be_grown():
    field, imported = Hierarchy(**FIELD), Hierarchy(**PLAIN)
    assert field.require_field("train") is field
    for hierarchy in (imported, imported.with_cells(ROOT)):
        with pytest.raises(InputError, match=r"train needs a field, .* 'it' was imported"):
            hierarchy.require_field("train")


def test_a_recipe_of_the_first_versions_estimator_is_that_of_the_rollout():
    """It wrote the predictor's recipe out, where a rollout wrote the digest."""
    rule = {"family": "recurrence", "seed": 0}
    of_rollout = {"source": "rollout", "of": "it", "predictor_recipe": recipe_digest(rule)}
    of_estimator = {**of_rollout, "predictor_recipe": rule}
    assert same_recipe(of_rollout, of_estimator)
    assert same_recipe(of_estimator, of_estimator)
    assert not same_recipe(of_rollout, {**of_estimator, "predictor_recipe": {**rule, "seed": 1}})
    assert not same_recipe(of_rollout, {**of_estimator, "of": "other"})
