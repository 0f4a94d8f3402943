"""Fields induced by data: the data define a rule that never ends, unlike a tree of them, whose data run out.

Each cell's children lie towards the K soft prototypes of what lies around it; the formula, its bound and its constant are
those of :class:`~cfgraph.learning.encoders.induced.InducedRule` (derived, docs/mathematics.md). The root lies at the data's
mean and has scale 1. The anchors point from there to the K centers of a k-means of all data, in the order of their first
principal coordinate. What is kept beside the hierarchy (data, anchors, bandwidth, temperature) makes the rule again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from cfgraph import defaults
from cfgraph.checks import check_integer, check_number, check_scale_factor
from cfgraph.errors import InputError
from cfgraph.files.arrays import PointTable, points_of
from cfgraph.files.column_order import names_for_recipe
from cfgraph.learning.encoders import InducedRule, Projection, Step, dump_encoder, load_encoder
from cfgraph.model.address import check_id
from cfgraph.model.cells import Cells
from cfgraph.model.encoder import WEIGHTS_BYTES_MAX, Encoder
from cfgraph.model.growth import CELLS_MAX, check_depth
from cfgraph.model.hierarchy import FieldHierarchy, FieldWithCells
from cfgraph.sources.duplicates import group_rows
from cfgraph.sources.field_plan import FieldPlan
from cfgraph.sources.k_means import k_means
from cfgraph.sources.principal import project
from cfgraph.sources.tuples import axis_order

MANY_POINTS = 20_000  # above, a note says what a cell costs
ARITY_MAX = 4096
BANDWIDTH_MIN = 1e-6  # of the spread: below, and below such a temperature, a rule is steps and no field
SAME = 1e-6  # two anchors no farther apart are one
_HEADER_BYTES = 100_000  # of safetensors, at most

Data = Path | str | Float[np.ndarray, "points dim"]


@dataclass(frozen=True)
class Design:
    """How data make a rule: the arguments of :func:`induced` but for the hierarchy's id, its depth and its data."""

    arity: int = defaults.INDUCED_ARITY
    scale_factor: float = defaults.SCALE_FACTOR
    bandwidth: float = defaults.BANDWIDTH
    temperature: float = defaults.TEMPERATURE
    pca: int | None = None
    sample: int | None = None
    seed: int = defaults.SEED

    def recipe(self) -> dict[str, Any]:
        """The hierarchy's recipe but for its data and its depth; an ``InputError`` for an argument out of its range."""
        return {
            "source": "induced",
            "arity": check_integer(self.arity, name="arity", low=2, high=ARITY_MAX),
            "scale_factor": check_scale_factor(self.scale_factor),
            "bandwidth": check_number(self.bandwidth, name="bandwidth (a part of the spread)", low=BANDWIDTH_MIN),
            "temperature": check_number(self.temperature, name="temperature (a part of the bandwidth)", low=BANDWIDTH_MIN),
            "pca": None if self.pca is None else check_integer(self.pca, name="number of principal components", low=1),
            "sample": None if self.sample is None else check_integer(self.sample, name="size of the sample", low=2),
            "seed": check_integer(self.seed, name="seed", low=0),
        }


def induced(
    data: Data,
    *,
    id: str = "induced",
    depth: int | None = None,
    arity: int = defaults.INDUCED_ARITY,
    scale_factor: float = defaults.SCALE_FACTOR,
    bandwidth: float = defaults.BANDWIDTH,
    temperature: float = defaults.TEMPERATURE,
    pca: int | None = None,
    sample: int | None = None,
    seed: int = defaults.SEED,
    key: str | None = None,
    columns: Sequence[str] | None = None,
    header: str = defaults.HEADER_RULE,
    separator: str | None = None,
    decimal: str | None = None,
    large: bool = False,
) -> FieldWithCells:
    """A hierarchy grown to ``depth`` from the mean of points, by the rule that they induce; O(points x arity x dim) a cell.

    R is a bound of the data's diameter; Lambda is proven, and as large as such a proof is; the separation is measured level
    by level. Data, anchors, bandwidth and temperature are kept beside it as its encoder, up to 256 MB.

    Args:
        id: the hierarchy's id.
        data: a file, an array, a tensor or a data frame, a row a point (images are flattened).
        depth: the deepest level; its cells are the frontier.
        arity: K, the number of children of every cell; at least 2.
        scale_factor: s, between 0 and 1.
        bandwidth: h as a part of the spread, the mean standard deviation of the coordinates times ``sqrt(d)``.
        temperature: tau as a part of h.
        pca: how many principal components to keep; all coordinates as they are unless given.
        sample: how many points to take, drawn without repetition; all unless given.
        seed: of the sample, of k-means and of PCA.
        key: the array of an .npz file; not needed where it holds one.
        columns: those of a table; all (of numbers, but for the index of a data frame) unless given.
        header: whether the first line of a table of text is one: ``yes``, ``no``, or ``auto`` where that is to be found out.
        separator: what stands between the cells of a table of text, a character or ``comma``, ``semicolon``, ``tab``, ``bar``,
            ``blanks``; found unless given.
        decimal: the sign before the decimals of numbers in a table of text, ``.`` or ``,``; found unless given.
        large: whether the file may be larger than :mod:`cfgraph.files.opened` allows.

    Raises:
        InputError: for data that cannot be read, are all equal, or have fewer different points than children; anchors of
            no length or that coincide (K > 2 in one dimension); and arguments out of their range.
    """
    design = Design(
        arity=arity,
        scale_factor=scale_factor,
        bandwidth=bandwidth,
        temperature=temperature,
        pca=pca,
        sample=sample,
        seed=seed,
    )
    design.recipe()
    reading: dict[str, Any] = {
        "key": key,
        "columns": columns,
        "header": header,
        "separator": separator,
        "decimal": decimal,
        "large": large,
    }
    table = read_data(data, **reading)
    return induce(table, id=id, depth=depth, design=design)


def read_data(data: Data, **reading: Any) -> PointTable:
    """A file's points, or an array as such; ``reading`` is that of :func:`~cfgraph.files.arrays.read_points`."""
    return points_of(data, **reading)


def induce(table: PointTable, *, id: str, depth: int | None, design: Design = Design()) -> FieldWithCells:
    """What :func:`induced` makes of points that were read; the errors are the same."""
    return field(table, id=id, depth=depth, design=design).grow()


def field(table: PointTable, *, id: str, depth: int | None, design: Design = Design(), cells_max: int = CELLS_MAX) -> FieldPlan:
    """What :func:`induce` grows, checked and not grown yet; the errors are the same."""
    recipe = design.recipe()
    depth = check_depth(depth, id=check_id(id), arity=recipe["arity"], cells_max=cells_max)
    recipe |= {"data_sha256": table.digest, "depth": depth, **names_for_recipe(table.columns)}
    steps, notes = _learn(table.values, recipe)
    encoder, unkept = _keep(steps)
    rule = _rule_in(steps)
    hierarchy = FieldHierarchy(
        id=id,
        origin="induced",
        dimension=rule.columns,
        arity=recipe["arity"],
        scale_factor=recipe["scale_factor"],
        residual_bound=rule.residual_bound,
        lipschitz=rule.lipschitz,
        notes=(*table.notes, *notes, *unkept),
        recipe=recipe,
    )
    root = Cells.from_root(rule.mean)
    return FieldPlan(hierarchy, root=root, make_rule=lambda: rule, depth=recipe["depth"], measured=True, encoder=encoder)


def rule_of(hierarchy: FieldHierarchy, *, encoder: Encoder | None) -> InducedRule:
    """The rule of an induced field, made again from what is kept beside it.

    Raises:
        InputError: where the hierarchy is none, or its data were too many to be kept: :func:`rule_from_data` needs them.
    """
    if hierarchy.origin != "induced":
        raise InputError(f"expected an induced hierarchy, got {hierarchy.id!r} of source {hierarchy.origin!r}")
    steps = () if encoder is None else load_encoder(encoder).steps
    if not any(isinstance(step, InducedRule) for step in steps):
        raise InputError(
            f"the data of {hierarchy.id!r} are not kept beside it, so that its rule is not known here, only its stored cells; "
            "cfgraph.sources.induced.rule_from_data makes the rule again from the file"
        )
    return _rule_in(steps)


def rule_from_data(recipe: Mapping[str, Any], table: PointTable) -> InducedRule:
    """The rule of an induced field, made again from the data that its recipe names by their digest.

    Raises:
        InputError: for other data, or the recipe of another source.
    """
    if recipe.get("source") != "induced":
        raise InputError(f"expected the recipe of an induced hierarchy, got one of source {recipe.get('source')!r}")
    if table.digest != recipe["data_sha256"]:
        raise InputError(f"expected the data of SHA-256 {recipe['data_sha256']}, got others, of {table.digest}")
    return _rule_in(_learn(table.values, recipe)[0])


def _learn(values: Float[np.ndarray, "points columns"], recipe: Mapping[str, Any]) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """The steps from raw data to the rule, the rule last; and remarks."""
    notes, steps = [], []
    if recipe["sample"] is not None:
        values, note = _draw(values, size=recipe["sample"], seed=recipe["seed"])
        notes.append(note)
    if recipe["pca"] is not None:
        values, projection, note = project(values, components=recipe["pca"], seed=recipe["seed"])
        steps.append(projection)
        notes.append(note)
    if len(values) > MANY_POINTS:
        notes.append(
            f"each cell takes a sum over all {len(values):,} points; --sample {MANY_POINTS} would take {MANY_POINTS:,} of them"
        )
    return (*steps, _induced_rule(np.ascontiguousarray(values), recipe)), tuple(notes)


def _draw(values: Float[np.ndarray, "points columns"], *, size: int, seed: int) -> tuple[np.ndarray, str]:
    """Some of the points, in their order, and a remark."""
    if size > len(values):
        raise InputError(f"expected a sample of at most {len(values):,} points, as many as there are, got {size:,}")
    rows = np.sort(np.random.default_rng(seed).choice(len(values), size=size, replace=False))
    return values[rows], f"{size:,} of {len(values):,} points were drawn"


def _induced_rule(values: Float[np.ndarray, "points dim"], recipe: Mapping[str, Any]) -> InducedRule:
    arity = recipe["arity"]
    if (different := len(group_rows(values)[0])) < arity:
        raise InputError(f"expected at least {arity} different points, one for each child of the root, got {different}")
    bandwidth = recipe["bandwidth"] * _spread(values)
    if not bandwidth * recipe["temperature"] > 0:
        raise InputError(
            "expected points that lie apart, got ones so close to each other that their deviation is 0; scale them up"
        )
    mean = values.mean(axis=0)
    anchors = _anchors(values - mean, arity=arity, seed=recipe["seed"])
    return InducedRule(values, mean, anchors, bandwidth=bandwidth, temperature=bandwidth * recipe["temperature"])


def _spread(values: Float[np.ndarray, "points dim"]) -> float:
    """The mean standard deviation of the coordinates times ``sqrt(d)``."""
    return float(values.std(axis=0).mean() * np.sqrt(values.shape[1]))


def _anchors(offset: Float[np.ndarray, "points dim"], *, arity: int, seed: int) -> Float[np.ndarray, "arity dim"]:
    """Unit vectors from the mean to the centers of a k-means of all points, along their first principal coordinate."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # k-means sums over threads in the order they finish
        label = k_means(offset, arity=arity, seed=seed)
    size = np.bincount(label, minlength=arity)
    center = np.stack([offset[label == cluster].mean(axis=0) for cluster in range(arity)])
    length = np.linalg.norm(center, axis=1)
    if (length <= SAME * np.linalg.norm(offset, axis=1).max()).any():
        raise InputError(
            "a center of the k-means of the data lies at their mean, and gives no direction to children of its slot; expected "
            f"another arity than {arity}, or another seed"
        )
    unit = center / length[:, None]
    _check_apart(unit)
    return np.ascontiguousarray(unit[axis_order(center, weight=size)])


def _check_apart(unit: Float[np.ndarray, "arity dim"]) -> None:
    for slot in range(1, len(unit)):
        if (np.linalg.norm(unit[:slot] - unit[slot], axis=1) <= SAME).any():
            why = "one dimension has no more than two directions" if unit.shape[1] == 1 else "another seed may do, too"
            raise InputError(
                "two centers of the k-means of the data lie in one direction from their mean, and would give two slots the "
                f"same children; expected an arity below {len(unit)}: {why}"
            )


def _rule_in(steps: Sequence[Step]) -> InducedRule:
    return next(step for step in steps if isinstance(step, InducedRule))


def _keep(steps: tuple[Step, ...]) -> tuple[Encoder | None, tuple[str, ...]]:
    """What is kept beside the hierarchy: all, or of data that are too many what came before; and a remark."""
    size = sum(array.nbytes for step in steps for array in step.arrays().values())
    if size + _HEADER_BYTES <= WEIGHTS_BYTES_MAX:
        return dump_encoder(*steps), ()
    projections = [step for step in steps if isinstance(step, Projection)]
    note = (
        f"the data have {size:,} bytes, and a store keeps {WEIGHTS_BYTES_MAX:,}: they are known by their digest alone, so that "
        "nothing but the stored cells can be asked for; --sample or --pca would keep them"
    )
    return (dump_encoder(*projections) if projections else None), (note,)
