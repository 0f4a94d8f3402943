"""Field: recursive k-means as scikit-learn knows clusterers, in pipelines and out of them, to the graph and back.

``cfgraph.ClassificationField`` loads it, and with it scikit-learn, when it is first used: its class has bases there.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Self, overload

import numpy as np
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from cfgraph import defaults
from cfgraph.checks import check_integer
from cfgraph.errors import EstimatorError, InputError
from cfgraph.estimator.learned import addresses_of
from cfgraph.estimator.random_state import seed_of
from cfgraph.learning.train import train
from cfgraph.metric.locate import locate
from cfgraph.model.address import ROOT, check_id, key_of
from cfgraph.model.growth import grow
from cfgraph.model.hierarchy import FieldWithCells, Hierarchy
from cfgraph.predictors import AUTO
from cfgraph.predictors.trained import TrainedPredictor, grown_field
from cfgraph.sources.points import points

DEPTH = 3
LEVEL = 1
LABELS, ADDRESS = "labels", "address"  # what ``predict`` may tell
_ID = "field"  # of a fitted hierarchy until it gets a name of its own


class _MethodAndParameter:
    """A method under whose name a parameter is kept: ``predict="address"`` beside ``predict(X)``.

    scikit-learn keeps parameters as attributes of their names, and an attribute would hide the method. What is set goes into
    the object's own values, where ``get_params`` finds it; what is got is the method.
    """

    def __init__(self, method: Callable[..., np.ndarray]):
        self._method = method

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[..., np.ndarray]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Callable[[Any], np.ndarray]: ...
    def __get__(self, instance: object | None, owner: type | None = None) -> Callable[..., np.ndarray]:
        bound: Callable[..., np.ndarray] = self._method if instance is None else self._method.__get__(instance)
        return bound

    def __set__(self, instance: object, value: str) -> None:
        vars(instance)[self._name] = value


class ClassificationField(ClusterMixin, TransformerMixin, BaseEstimator):
    """Recursive k-means: every cell is split into ``arity`` children, down to ``depth``.

    ``apply`` tells a point's whole way down: the address of the cell where the greedy descent of the Voronoi cells ends
    (``/2/0/1``). ``labels_``, ``predict``, ``fit_predict`` and ``transform`` speak of one *cut* of the tree, the cells at
    ``level`` with the leaves above it: labels are the numbers of the columns of ``transform``. At level 1 they are what plain
    k-means gives. Equal points are kept. A small sample makes a tree that is less deep than ``depth``.

    Parameters:
        arity: K, the number of children of every cell that is split.
        depth: the deepest level.
        level: of the cut; None is the deepest. It may be set anew after ``fit``: ``predict`` and ``transform`` follow,
            ``labels_`` stay.
        minimum_size: the fewest points of a cell that is split.
        scale_depth: the deepest level that the scale factor is estimated from.
        random_state: a whole number gives the same cells as ``cfgraph.sources.points`` with that seed; None, others each time.
        predict: ``labels``, or ``address``: then ``predict`` gives what ``apply`` does, as in cfgraph 0.1, with a warning, for
            one release.

    Attributes:
        hierarchy_: the hierarchy with its cells.
        labels_: for each point of ``fit`` the number of its cell in the cut; not there after ``from_hierarchy``.
        addresses_: for each point of ``fit`` what ``apply`` says of it; not there after ``from_hierarchy``.
        predictor_: what ``grow`` learned; only there in what ``grow`` gave.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.
    """

    hierarchy_: FieldWithCells

    def __init__(
        self,
        arity: int = defaults.POINTS_ARITY,
        depth: int = DEPTH,
        *,
        level: int | None = LEVEL,
        minimum_size: int = defaults.MINIMUM_SIZE,
        scale_depth: int = defaults.SCALE_DEPTH,
        random_state: int | np.random.RandomState | None = None,
        predict: str = LABELS,
    ):
        self.arity = arity
        self.depth = depth
        self.level = level
        self.minimum_size = minimum_size
        self.scale_depth = scale_depth
        self.random_state = random_state
        self.predict = predict

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters and their values, as everywhere in scikit-learn; ``deep`` is for those that hold estimators."""
        return {**super().get_params(deep), "predict": self._told()}

    def fit(self, X: Float[np.ndarray, "points dim"], y: None = None) -> Self:
        """Build the hierarchy of some points; ``y`` is not used.

        Raises:
            EstimatorError: (a ``ValueError``) for fewer points, or fewer different ones, than ``arity``, and for parameters
                out of their range. What is no table of finite numbers gets scikit-learn's own errors.
        """
        X = validate_data(self, X, dtype=np.float64)
        try:
            _check_parameters(self, samples=len(X))
            self.hierarchy_ = points(id=_ID, data=X, **self._arguments(len(X)))
        except InputError as error:
            raise EstimatorError(str(error)) from None
        self.__dict__.pop("predictor_", None)  # of an earlier life
        self.labels_ = self._number(X)
        self.addresses_ = self._address(X)
        return self

    def _arguments(self, samples: int) -> dict[str, Any]:
        """What ``points`` is asked for: no more levels than a tree of so many points can have."""
        return {
            "arity": self.arity,
            "depth": min(self.depth, (samples - 1) // (self.arity - 1)),
            "minimum_size": self.minimum_size,
            "scale_depth": self.scale_depth,
            "duplicates": "keep",
            "seed": seed_of(self.random_state),
        }

    @_MethodAndParameter
    def predict(self, X: Float[np.ndarray, "points dim"]) -> np.ndarray:
        """The number of each point's cell in the cut: for the points of ``fit`` their ``labels_``."""
        X = self._query(X)
        if _check_told(self._told()) == LABELS:
            return self._number(X)
        warnings.warn(
            "ClassificationField(predict='address') goes with the next release; apply(X) gives addresses",
            FutureWarning,
            stacklevel=2,
        )
        return self._address(X)

    def apply(self, X: Float[np.ndarray, "points dim"]) -> np.ndarray:
        """The address of the deepest cell that each point's greedy descent reaches: an array of strings (dtype object)."""
        return self._address(self._query(X))

    def transform(self, X: Float[np.ndarray, "points dim"]) -> Float[np.ndarray, "points cells"]:
        """The Euclidean distance of each point to the center of each cell of the cut, in breadth-first order."""
        from scipy.spatial.distance import cdist

        X = self._query(X)
        return cdist(X, self.hierarchy_.cells.center[self._cut()])

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> np.ndarray:
        """The addresses of the cells of the cut, a column of ``transform`` each; ``input_features`` are checked, no more."""
        check_is_fitted(self)
        _check_names(input_features, known=getattr(self, "feature_names_in_", None), count=self.n_features_in_)
        return addresses_of(self.hierarchy_.cells, self._cut())

    def to_hierarchy(self, id: str) -> FieldWithCells:
        """The hierarchy under an id, with its cells: ``store.write(field.to_hierarchy("digits"))``.

        Raises:
            InputError: for an id that is none, or so long that the deepest cell's key does not fit in the database's index.
        """
        check_is_fitted(self)
        cells = self.hierarchy_.cells
        key_of(check_id(id), max(cells.addresses, key=len))
        return self.hierarchy_.replace(id=id)

    @classmethod
    def from_hierarchy(cls, hierarchy: Hierarchy) -> Self:
        """A fitted field of a hierarchy with its cells, from wherever they come: a source, the graph, a rollout.

        ``ClassificationField.from_hierarchy(store.hierarchy(id).with_cells(store.read(id)))``. It predicts in the space of
        the cells' centers: if they were made of principal components, it wants those.

        Raises:
            InputError: for a hierarchy without cells, of dimension 0, a subtree of one, or one that is no field.
        """
        seen = _check_hierarchy(hierarchy)
        recipe = seen.recipe if seen.origin == "points" else {}
        asked = {name: recipe[name] for name in ("minimum_size", "scale_depth") if name in recipe}
        field = cls(seen.arity, max(seen.cells.depth, 1), **asked, random_state=recipe.get("seed"))
        field.hierarchy_, field.n_features_in_ = seen, seen.cells.dimension
        return field

    def grow(self, depth: int, *, family: str = AUTO) -> Self:
        """Another field: these cells and, down to ``depth``, those that a predictor learned from them adds.

        Only cells that more points might have split grow (the frontier); a leaf stays one. ``predictor_`` of the new field
        is what was learned, with the doubts that there are: its ``warnings``, and whether it is ``flagged``. The cells of
        ``self`` are not changed, and the new field has no ``labels_`` of its own.

        Raises:
            InputError: for a depth that is not below the field's, or a field without a parent to learn from.
        """
        check_is_fitted(self)
        seen = self.hierarchy_
        check_integer(depth, name="depth to grow to", low=seen.cells.depth + 1)
        trained = train(seen, id=f"{_ID}-rule", depth=seen.cells.depth, family=family)
        grown = type(self).from_hierarchy(_grown(seen, trained, depth=depth))
        grown.set_params(**{**self.get_params(), "depth": depth})
        grown.predictor_ = trained
        if hasattr(self, "feature_names_in_"):
            grown.feature_names_in_ = self.feature_names_in_
        return grown

    def _told(self) -> str:
        """What ``predict`` is asked to tell; fields that cfgraph 0.1 pickled have not been asked."""
        told: str = vars(self).get("predict", LABELS)
        return told

    def _query(self, X: Any) -> Float[np.ndarray, "points dim"]:
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False)

    def _cut(self) -> Int[np.ndarray, " cut"]:
        """The rows of the cells at ``level`` and of the childless ones above it."""
        cells, level = self.hierarchy_.cells, _check_level(self.level)
        last = cells.depth if level is None else level
        return np.flatnonzero((cells.level == last) | ((cells.level < last) & (cells.child_count == 0)))

    def _number(self, X: Float[np.ndarray, "points dim"]) -> Int[np.ndarray, " points"]:
        return np.searchsorted(self._cut(), locate(self.hierarchy_.cells, X, depth=_check_level(self.level)))

    def _address(self, X: Float[np.ndarray, "points dim"]) -> np.ndarray:
        rows, inverse = np.unique(locate(self.hierarchy_.cells, X), return_inverse=True)
        return addresses_of(self.hierarchy_.cells, rows)[inverse]


def _check_parameters(field: ClassificationField, *, samples: int) -> None:
    """An ``InputError`` for parameters that are out of their range, or that ask for more points than there are."""
    _check_told(field.get_params()["predict"])
    arity = check_integer(field.arity, name="arity", low=2)
    depth = check_integer(field.depth, name="depth", low=1)
    if (_check_level(field.level) or 1) > depth:
        raise InputError(f"expected a level of at most the depth, {depth}, got {field.level}; say level=None for the deepest")
    if samples < arity:
        raise InputError(f"expected at least arity = {arity} points, got n_samples = {samples}; ask for a smaller arity")


def _check_level(level: int | None) -> int | None:
    """The level of a cut, or an ``EstimatorError``: ``level`` may have been set after ``fit``."""
    try:
        return None if level is None else check_integer(level, name="level", low=1)
    except InputError as error:
        raise EstimatorError(str(error)) from None


def _check_told(told: str) -> str:
    """What ``predict`` is to tell, or an ``EstimatorError``: it too may have been set after ``fit``."""
    if told in (LABELS, ADDRESS):
        return told
    raise EstimatorError(f"expected {LABELS!r} or {ADDRESS!r} as predict, got {told!r}")


def _check_names(given: Sequence[str] | None, *, known: Sequence[str] | None, count: int) -> None:
    """The errors that scikit-learn's own transformers have for names that are not those of ``fit``."""
    if given is None:
        return
    if known is not None and not np.array_equal(np.asarray(given, dtype=object), known):
        raise EstimatorError("input_features is not equal to feature_names_in_")
    if len(given) != count:
        raise EstimatorError(f"input_features should have length equal to number of features ({count}), got {len(given)}")


def _check_hierarchy(hierarchy: Hierarchy) -> FieldWithCells:
    seen = hierarchy.require_cells()
    cells = seen.cells
    if cells.top != ROOT:
        raise InputError(f"expected a whole hierarchy or a prefix of one, got the subtree of {hierarchy.id!r} at {cells.top}")
    if cells.dimension == 0:
        raise InputError(f"the cells of {hierarchy.id!r} have no centers (dimension 0), so no point has a nearest one")
    return seen.require_field("the estimator")


def _grown(seen: FieldWithCells, trained: TrainedPredictor, *, depth: int) -> FieldWithCells:
    """The hierarchy with the predictor's cells below the frontier, as a rollout that was asked for this depth names it."""
    rule = trained.load().predict
    cells = grow(seen.cells, rule=rule, depth=depth, arity=seen.arity, scale_factor=seen.scale_factor)
    asked = {"depth": depth}
    return grown_field(trained, seen, id=seen.id, cells=cells, encoder=seen.encoder, from_depth=seen.cells.depth, stop=asked)
