"""Nested-CRP trees of Gaussians: Hierarchically Clustered Representation Learning (HCRL, arXiv 1901.09906).

Every node has a Gaussian, not the leaves alone, and children stand in the order of their sticks. The model, made finite, its
updates and surgery are in :mod:`cfgraph.learning.nested`; docs/learning.md says what is the paper's, and what decides whether a
hierarchy comes out.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from jaxtyping import Float, Int

from cfgraph import defaults
from cfgraph.checks import check_integer, check_number
from cfgraph.errors import InputError
from cfgraph.files.column_order import names_for_recipe
from cfgraph.files.embeddings import Embeddings
from cfgraph.learning.checkpoint import Checkpoint
from cfgraph.learning.encoders import NestedTree, Step, dump_encoder
from cfgraph.learning.nested.autoencoder import FLOOR as LATENT_FLOOR
from cfgraph.learning.nested.autoencoder import Training, alternate
from cfgraph.learning.nested.fit import Found, Plan, fit_tree
from cfgraph.learning.nested.hanging import Hung, hang
from cfgraph.learning.nested.model import Points, Prior
from cfgraph.learning.nested.shape import UNLIMITED, limits_of
from cfgraph.model.address import check_id
from cfgraph.model.cells import Cells
from cfgraph.model.dag import Dag
from cfgraph.model.encoder import Encoder
from cfgraph.model.hierarchy import FieldWithCells, HierarchyWithCells
from cfgraph.moved import renamed
from cfgraph.predictors.network import check_device
from cfgraph.sources.imported import imported
from cfgraph.sources.placing import Level, place_field
from cfgraph.sources.preparation import Rows, prepare, read_folder, read_rows
from cfgraph.sources.tuples import axis_order, match_slots

NODES_MAX = 5_000
FEW_POINTS = 4  # of a leaf, on average: a tree of more leaves is noted
FLOOR_SHARE = 1e-3  # of the mean variance of a coordinate: the least variance of a node, unless it is given
LEAST_FLOOR = 1e-200  # what can be divided by

Say = Callable[[str], None]


@renamed(point_nodes="points", standardised="standardise")
def hcrl(
    data: Path | str | Float[np.ndarray, "points columns"],
    *,
    id: str = "hcrl",
    depth: int = defaults.HCRL_DEPTH,
    branching: int | Sequence[int] | None = defaults.HCRL_BRANCHING,
    key: str | None = None,
    columns: Sequence[str] | None = None,
    header: str = defaults.HEADER_RULE,
    separator: str | None = None,
    decimal: str | None = None,
    svd: int | None = None,
    standardise: bool = False,
    pca: int | None = None,
    encoder: str = defaults.HCRL_ENCODER,
    latent: int = defaults.LATENT,
    likelihood: str = defaults.LIKELIHOODS[0],
    device: str = defaults.DEVICE,
    levels: str = defaults.LEVEL_RULE,
    covariance: str | None = None,
    start: str | None = None,
    surgery: bool | None = None,
    gamma: float = defaults.CONCENTRATION,
    alpha: float = defaults.CONCENTRATION,
    floor: float | None = None,
    seed: int = defaults.SEED,
    points: bool = False,
    field: bool = False,
    checkpoint: Path | str | None = None,
    size: str | tuple[int, int] | None = None,
    skip_broken: bool = False,
    large: bool = False,
    say: Say = lambda line: None,
) -> HierarchyWithCells:
    """The nested-CRP tree of Gaussians that points have: a cell a node, its center the node's mean.

    Each point takes a way from the root to a leaf; a node's Gaussian explains the points on all ways through it. Points lie IN
    the node where their most probable way ends. Cells have the properties ``sigma`` (root of the mean variance), ``mass`` (how
    many points' ways lead through), ``share`` (of the sticks, exp E log) and ``emission`` (the weight of the points that the
    node explains). Children stand by falling mass, as their sticks do.

    Args:
        id: the hierarchy's id.
        data: a file, an array, a tensor or a data frame, a row a point (images are flattened); or a folder of images.
        depth: the level of the leaves.
        branching: the most children of a node: one number, one for each level above the leaves, or None for any number, which
            gives a star.
        key: the array of an .npz file; not needed where it holds one.
        columns: those of a table; all unless given.
        header: whether the first line of a table of text is one: ``yes``, ``no``, or ``auto`` where that is to be found out.
        separator: what stands between the cells of a table of text, a character or ``comma``, ``semicolon``, ``tab``, ``bar``,
            ``blanks``; found unless given.
        decimal: the sign before the decimals of numbers in a table of text, ``.`` or ``,``; found unless given.
        svd: how many directions of a truncated SVD rows are brought to first of all, not centered; sparse rows
            (``scipy.sparse``, or .npz files of it) stay sparse until then.
        standardise: whether columns are brought to mean 0 and deviation 1 first.
        pca: how many principal components to keep; all coordinates as they are unless given.
        encoder: ``none``, or ``vae``: the tree is one of the latents of a variational autoencoder, both learned in turns.
        latent: how many coordinates these have.
        likelihood: of the autoencoder: ``bernoulli``, for data in [0, 1], or ``gaussian``, of a variance that is learned.
        device: where the autoencoder is trained.
        levels: ``fixed``: every level explains each point once; ``free``: each point has level proportions of its own, as in
            the paper. The tree is then hung anew, by a minimum spanning tree of the means: the likelihood does not know it.
        covariance: ``diagonal`` or ``isotropic``; the latter unless given where levels are free, where surgery refuses nodes of
            twice as many numbers, else the former.
        start: ``split`` (recursive k-means) or ``grow`` (the root alone, then surgery); the former where branching is given.
        surgery: whether nodes are grown, pruned and merged; only for unlimited branching unless given.
        gamma: of the sticks, ``v ~ Beta(1, gamma)``.
        alpha: of level proportions, where they are free.
        floor: the least variance of a node; a thousandth of the data's mean variance unless given, of latents 0.01.
        seed: of all that is drawn at random.
        points: whether the points are to be nodes of the graph too, each IN its cell.
        field: whether a complete tree is to be a field, which ``train`` and ``rollout`` take; its cells have no properties.
        checkpoint: a file from which the same call goes on with the training of the autoencoder where it was stopped.
        size: of a folder's images: height and width that all are brought to; needed where they have several.
        skip_broken: whether images that cannot be decoded are left out.
        large: whether the file may be larger than :mod:`cfgraph.files.opened` allows.
        say: is told how the fit goes.

    Raises:
        InputError: for data that cannot be read or are not finite, fewer than two points, arguments out of their range, a tree
            of more than 5,000 nodes, a field asked for where the tree is not complete, data outside [0, 1] for a Bernoulli
            likelihood, and a checkpoint of another training or without an autoencoder.
        MissingExtraError: for an autoencoder where torch is not installed.
    """
    check_id(id)
    asked = Asked.checked(
        depth=depth,
        branching=branching,
        svd=svd,
        standardised=standardise,
        pca=pca,
        encoder=encoder,
        latent=latent,
        likelihood=likelihood,
        device=device,
        levels=levels,
        covariance=covariance,
        start=start,
        surgery=surgery,
        gamma=gamma,
        alpha=alpha,
        floor=floor,
        seed=seed,
    )
    if checkpoint is not None and asked.encoder != "vae":
        raise InputError("a checkpoint is of an autoencoder's training; leave it out, or say --encoder vae")
    rows = read_folder(data, size=size, skip_broken=skip_broken, large=large)
    if rows is None:
        text: dict[str, Any] = {"header": header, "separator": separator, "decimal": decimal}
        rows = read_rows(data, svd=asked.svd, seed=asked.seed, key=key, columns=columns, large=large, **text)
    elif asked.svd is not None:
        raise InputError("directions are of rows of numbers, and a folder holds images; leave --svd out, or say --pca")
    return learn(rows, id=id, asked=asked, point_nodes=points, field=field, checkpoint=checkpoint, say=say)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What kind of tree is asked for; :func:`hcrl` says of each what it is."""

    depth: int = defaults.HCRL_DEPTH
    branching: int | Sequence[int] | None = defaults.HCRL_BRANCHING
    svd: int | None = None
    standardised: bool = False
    pca: int | None = None
    encoder: str = defaults.HCRL_ENCODER
    latent: int = defaults.LATENT
    likelihood: str = defaults.LIKELIHOODS[0]
    device: str = defaults.DEVICE
    levels: str = defaults.LEVEL_RULE
    covariance: str | None = None  # of checked ones never None, nor the next two
    start: str | None = None
    surgery: bool | None = None
    gamma: float = defaults.CONCENTRATION
    alpha: float = defaults.CONCENTRATION
    floor: float | None = None
    seed: int = defaults.SEED

    @classmethod
    def checked(cls, **given: Any) -> Self:
        """What is asked for, with defaults settled, or an InputError for what is out of its range."""
        asked = cls(**given)
        depth = check_integer(asked.depth, name="depth", low=1)
        branching = _check_branching(asked.branching, depth=depth)
        start = asked.start or ("grow" if branching is None else "split")
        surgery = (branching is None or start == "grow") if asked.surgery is None else bool(asked.surgery)
        _check_choice(asked.encoder, name="encoder", choices=defaults.HCRL_ENCODERS)
        _check_choice(asked.likelihood, name="likelihood", choices=defaults.LIKELIHOODS)
        if asked.encoder == "vae":
            check_device(asked.device)
        _check_choice(asked.levels, name="rule for levels", choices=defaults.LEVEL_RULES)
        covariance = asked.covariance or ("isotropic" if asked.levels == "free" else "diagonal")
        _check_choice(covariance, name="covariance", choices=defaults.COVARIANCES)
        _check_choice(start, name="start", choices=defaults.HCRL_STARTS)
        if start == "split" and branching is None:
            raise InputError("recursive k-means needs to know into how many; say --branching, or --start grow")
        if start == "grow" and not surgery:
            raise InputError("the root alone stays alone without surgery; take --start split, or leave --no-surgery out")
        return replace(
            asked,
            depth=depth,
            branching=branching,
            covariance=covariance,
            start=start,
            surgery=surgery,
            standardised=bool(asked.standardised),
            pca=None if asked.pca is None else check_integer(asked.pca, name="number of principal components", low=1),
            latent=check_integer(asked.latent, name="number of latents", low=1),
            gamma=_check_positive(asked.gamma, name="gamma"),
            alpha=_check_positive(asked.alpha, name="alpha"),
            floor=None if asked.floor is None else _check_positive(asked.floor, name="floor"),
            seed=check_integer(asked.seed, name="seed", low=0),
        )

    @property
    def limits(self) -> tuple[int, ...]:
        """How many children a node of each level may have."""
        return limits_of(self.branching, depth=self.depth)

    @property
    def plan(self) -> Plan:
        """How the tree is looked for."""
        return Plan(limits=self.limits, start=self.start or "split", surgery=bool(self.surgery), seed=self.seed)

    @property
    def recipe(self) -> dict[str, Any]:
        """What makes the same tree again."""
        told = asdict(self) | ({"branching": list(self.branching)} if isinstance(self.branching, Sequence) else {})
        unused = () if self.encoder == "vae" else ("latent", "likelihood", "device")
        return {name: value for name, value in told.items() if value is not None and name not in unused}

    @property
    def training(self) -> Training:
        """How an autoencoder is trained."""
        return Training(latent=self.latent, likelihood=self.likelihood, device=self.device, seed=self.seed)

    def prior(self, *, middle: Float[np.ndarray, " dim"], floor: float) -> Prior:
        """What is assumed of the tree, with the floor of variances unless one was given."""
        return Prior(
            weights=(1.0,) * (self.depth + 1) if self.levels == "fixed" else None,
            floor=floor if self.floor is None else self.floor,
            middle=middle,
            diagonal=self.covariance == "diagonal",
            gamma=self.gamma,
            alpha=self.alpha,
        )


def learn(
    rows: Rows,
    *,
    id: str,
    asked: Asked,
    point_nodes: bool = False,
    field: bool = False,
    checkpoint: Path | str | None = None,
    say: Say = lambda line: None,
) -> HierarchyWithCells:
    """The same of points that were read; its encoder finds the ways of new ones (``cfgraph.learning.nested.learned``)."""
    table = rows.table
    notes = (*table.notes, *_check_size(table.values, asked, field=field))
    ready = prepare(table.values, standardised=asked.standardised, pca=asked.pca, seed=asked.seed)
    training = {"data_sha256": table.digest, **asked.recipe}
    recipe = training | names_for_recipe(table.columns)
    if asked.encoder == "vae":
        kept = None if checkpoint is None else Checkpoint(Path(checkpoint), training)
        fitted = _fit_latents(ready.values, asked, checkpoint=kept, say=say)
    else:
        fitted = _fit_rows(ready.values, asked, say)
    notes = (*notes, *ready.notes, *_told(fitted, asked))
    described: dict[str, Any] = {"id": id, "notes": notes, "recipe": recipe}
    described["point_nodes"] = point_nodes
    made: HierarchyWithCells
    if asked.levels == "free":
        hung = hang(fitted.found.fit.tree, fitted.found.fit.sums.emission, middle=fitted.points.mean.mean(axis=0))
        made, cell_of_node = _imported(_hung_nodes(fitted.found, hung), **described), hung.hung_of
    elif field:
        made, cell_of_node = _field(_nodes(fitted.found), asked, **described)
    else:
        made = _imported(_nodes(fitted.found), **described)
        cell_of_node = np.arange(len(made.cells))
    record = _record((*rows.steps, *ready.steps, *fitted.steps), fitted, made.cells, cell_of_node)
    return made.replace(encoder=record, point_names=rows.names)


class _Fitted(NamedTuple):
    """A tree, the points that it is of, and what made these of the data."""

    found: Found
    points: Points
    prior: Prior
    steps: tuple[Step, ...]


def _fit_rows(values: Float[np.ndarray, "points columns"], asked: Asked, say: Say) -> _Fitted:
    """A tree of the data as they are."""
    points = Points(values)
    prior = asked.prior(
        middle=values.mean(axis=0), floor=max(FLOOR_SHARE * points.spread, LEAST_FLOOR) if points.spread else 1.0
    )
    return _Fitted(fit_tree(points, prior, asked.plan, say=say), points, prior, ())


def _fit_latents(
    values: Float[np.ndarray, "points columns"], asked: Asked, *, checkpoint: Checkpoint | None, say: Say
) -> _Fitted:
    """A tree of the latents of an autoencoder, and this."""
    if asked.likelihood == "bernoulli":
        _check_unit(values)
    prior = asked.prior(middle=np.zeros(asked.latent), floor=LATENT_FLOOR)
    step, found, points = alternate(values, asked.plan, prior, training=asked.training, checkpoint=checkpoint, say=say)
    return _Fitted(found, points, prior, (step,))


def _check_unit(values: Float[np.ndarray, "points columns"]) -> None:
    outside = np.argwhere((values < 0) | (values > 1))
    if len(outside):
        row, column = outside[0].tolist()
        raise InputError(
            f"expected data in [0, 1] for a Bernoulli likelihood, got {values[row, column]:g} in row {row}, column {column} "
            f"(from 0), {len(outside):,} such numbers in all; divide by the largest, or take --likelihood gaussian"
        )


def _check_choice(value: str, *, name: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"expected a {name} out of {', '.join(choices)}, got {value!r}")


def _check_positive(value: float, *, name: str) -> float:
    number = check_number(value, name=name)
    if number <= 0:
        raise InputError(f"expected {name} above 0, got {value!r}")
    return number


def _check_branching(branching: Any, *, depth: int) -> int | tuple[int, ...] | None:
    if branching is None:
        return None
    if not isinstance(branching, list | tuple):
        return check_integer(branching, name="branching", low=1)
    found = tuple(check_integer(one, name="branching", low=1) for one in branching)
    if len(found) != depth:
        raise InputError(
            f"expected a branching for each of the {depth} levels above the leaves, got {len(found)}; give as many, or one"
        )
    return found


def _check_size(values: Float[np.ndarray, "points columns"], asked: Asked, *, field: bool) -> tuple[str, ...]:
    """An InputError for too few points or too many nodes, and a note where leaves will be poor in points."""
    if len(values) < 2:
        raise InputError(f"expected at least two points for a tree, got {len(values)}")
    if field and (asked.levels == "free" or asked.branching is None):
        raise InputError("a field has one number of children everywhere; take --levels fixed and one number as --branching")
    if asked.branching is None:
        return ()
    leaves, nodes = 1, 1
    for limit in asked.limits:
        leaves *= limit
        nodes += leaves
    if nodes > NODES_MAX:
        memory = len(values) * nodes * 8 / 1e9
        raise InputError(
            f"expected a tree of at most {NODES_MAX:,} nodes, got up to {nodes:,}: the probabilities of {len(values):,} points "
            f"would take {memory:,.1f} GB; ask for a smaller depth or branching"
        )
    if leaves > len(values) / FEW_POINTS:
        return (f"up to {leaves:,} leaves for {len(values):,} points: fewer than {FEW_POINTS} points a leaf on average",)
    return ()


def _told(fitted: _Fitted, asked: Asked) -> tuple[str, ...]:
    """What a reader should know of the fit."""
    found, points = fitted.found, fitted.points
    fit, equal = found.fit, not points.mean.var(axis=0).any()
    told = f"the bound is {fit.bound:.7g}, {fit.bound / len(points):.5g} a point; {len(fit.tree):,} nodes"
    alone = ("all points are equal: the tree is the root alone",) if equal else ()
    free = (
        ("levels were free: the tree was hung by a minimum spanning tree of the means, as the likelihood does not know it",)
        if asked.levels == "free"
        else ()
    )
    return (told, *alone, *found.notes, *free)


# -- what was found, as cells


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Nodes in breadth-first order, in the order of their slots."""

    parent: Int[np.ndarray, " nodes"]
    center: Float[np.ndarray, "nodes dim"]
    columns: dict[str, Float[np.ndarray, " nodes"]]
    of_point: Int[np.ndarray, " points"]


def _nodes(found: Found) -> _Nodes:
    tree, sums = found.fit.tree, found.fit.sums
    columns = {
        "sigma": _sigma(tree.variance),
        "mass": found.fit.through,
        "share": np.exp(tree.log_shares()),
        "emission": sums.emission,
    }
    return _Nodes(tree.shape.parent, tree.mean, columns, sums.end)


def _hung_nodes(found: Found, hung: Hung) -> _Nodes:
    """Of nodes that were hung anew, masses are of what they and those below them emit."""
    mass = hung.emission.copy()
    for node in range(len(mass) - 1, 0, -1):
        mass[hung.parent[node]] += mass[node]
    columns = {"sigma": _sigma(hung.variance), "mass": mass, "share": mass / mass[0], "emission": hung.emission}
    return _Nodes(hung.parent, hung.mean, columns, hung.hung_of[found.fit.sums.emitter])


def _sigma(variance: Float[np.ndarray, "nodes variances"]) -> Float[np.ndarray, " nodes"]:
    return np.sqrt(variance.mean(axis=1))


def _imported(
    nodes: _Nodes, *, id: str, recipe: dict[str, Any], notes: tuple[str, ...], point_nodes: bool
) -> HierarchyWithCells:
    count = len(nodes.parent)
    dag = Dag(
        count=count,
        parent=nodes.parent[1:],
        child=np.arange(1, count),
        columns=dict(nodes.columns),
        node_of_point=nodes.of_point,
        notes=notes,
    )
    centers = Embeddings(nodes.center, names=None, digest=None, node=np.arange(count), exact=True)
    return imported(dag, id=id, origin="hcrl", recipe=recipe, embeddings=centers, points=point_nodes)


def _record(steps: tuple[Step, ...], fitted: _Fitted, cells: Cells, cell_of_node: Int[np.ndarray, " nodes"]) -> Encoder:
    addresses = tuple(cells.addresses[cell] for cell in cell_of_node.tolist())
    return dump_encoder(*steps, NestedTree(fitted.found.fit.tree, fitted.prior, addresses, cells.center[cell_of_node]))


# -- as a field


def _field(
    nodes: _Nodes, asked: Asked, *, id: str, recipe: dict[str, Any], notes: tuple[str, ...], point_nodes: bool
) -> tuple[FieldWithCells, Int[np.ndarray, " nodes"]]:
    """A complete tree as a field, as ``points`` makes one; and the row of each node's cell."""
    arity = _arity(nodes, asked)
    order, levels = _matched_levels(nodes, arity=arity, depth=asked.depth)
    row_of = np.empty(len(order), dtype=np.int64)
    row_of[order] = np.arange(len(order))
    made = place_field(
        levels,
        arity=arity,
        scale_depth=defaults.SCALE_DEPTH,
        notes=notes,
        id=id,
        origin="hcrl",
        points=len(nodes.of_point),
        point_nodes=point_nodes,
        recipe={"source": "hcrl", **recipe, "field": True} | ({"points": True} if point_nodes else {}),
        cell_of_point=row_of[nodes.of_point],
    )
    return made, row_of


def _arity(nodes: _Nodes, asked: Asked) -> int:
    """K of a complete tree; an InputError that says why it is none."""
    limits = set(asked.limits)
    if len(limits) > 1 or UNLIMITED in limits or min(limits) < 2:
        raise InputError("a field has one number of children everywhere, at least 2; give one number as --branching")
    (arity,) = limits
    whole = sum(arity**level for level in range(asked.depth + 1))
    leaves = np.bincount(nodes.of_point, minlength=len(nodes.parent))[-(arity**asked.depth) :]
    if len(nodes.parent) != whole or not (leaves > 0).all():
        missing = whole - len(nodes.parent) or int(np.count_nonzero(leaves == 0))
        raise InputError(
            f"a field needs a complete tree, and {missing:,} of {whole:,} nodes are missing or without points; ask for a "
            "smaller --depth or --branching, or leave --field out"
        )
    return arity


def _matched_levels(nodes: _Nodes, *, arity: int, depth: int) -> tuple[Int[np.ndarray, " nodes"], list[Level]]:
    """The nodes with slots matched to the parent's tuple, level by level, and what the levels hold."""
    size = np.bincount(nodes.of_point, minlength=len(nodes.parent))
    for node in range(len(size) - 1, 0, -1):
        size[nodes.parent[node]] += size[node]
    here = np.array([0])
    families: list[np.ndarray | None] = [None]
    order, levels = [here], [_level(nodes, size, here, last=depth == 0, arity=arity, level=0)]
    for level in range(1, depth + 1):
        below, tuples = list[np.ndarray](), list[np.ndarray | None]()
        for node, above in zip(here.tolist(), families, strict=True):
            children = np.arange(1 + arity * node, 1 + arity * (node + 1))
            family = nodes.center[children] - nodes.center[node]
            slots = axis_order(family, weight=size[children]) if above is None else match_slots(family, above)
            below.append(children[slots])
            tuples += [family[slots]] * arity
        here, families = np.concatenate(below), tuples
        order.append(here)
        levels.append(_level(nodes, size, here, last=level == depth, arity=arity, level=level))
    return np.concatenate(order), levels


def _level(nodes: _Nodes, size: np.ndarray, here: np.ndarray, *, last: bool, arity: int, level: int) -> Level:
    divisible = size[here] >= arity if last else np.ones(len(here), dtype=bool)
    longest = f"/{arity - 1}" * level or "/"
    return Level(center=nodes.center[here], size=size[here], divisible=divisible, longest=longest)
