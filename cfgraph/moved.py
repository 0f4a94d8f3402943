"""Old names: where each module of cfgraph 0.1 lies now, and what its arguments are called now. Both work, with a warning,
for one release.

It is asked last, for names that nothing else knows, so it costs nothing to those who use the new ones.
"""

import sys
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from importlib.abc import Loader
    from inspect import Signature
else:
    Loader = object  # its import would take as long as that of all else that ``cfgraph --help`` has of cfgraph

Function = TypeVar("Function", bound=Callable[..., Any])

MOVED = {
    "address": "model.address",
    "agreement": "judging.of_two_trees",
    "arrangement": "model.order",
    "backup": "transfer.backup",
    "blocks": "model.blocks",
    "bulk": "transfer.bulk",
    "cells": "model.cells",
    "certificates": "comparing.certificates",
    "compare": "comparing.compare",
    "compare_names": "judging.compare_names",
    "crew": "growing.crew",
    "cuts": "judging.flat",
    "dag": "model.dag",
    "dendrogram": "judging.dendrogram",
    "evaluate": "judging.evaluate",
    "events": "growing.events",
    "exports": "formats",
    "exports.csv": "formats.csv",
    "exports.dag": "formats.dag_of",
    "exports.dot": "formats.dot",
    "exports.files": "files.whole",
    "exports.gexf": "formats.gexf",
    "exports.graphml": "formats.graphml",
    "exports.linkage": "formats.linkage",
    "exports.maps": "formats.maps",
    "exports.neo4j_admin": "formats.neo4j_admin",
    "exports.networkx": "formats.networkx",
    "exports.newick": "formats.newick",
    "exports.node_link": "formats.node_link",
    "exports.parquet": "formats.parquet",
    "exports.plain": "formats.plain",
    "exports.tables": "formats.tables",
    "growth": "model.growth",
    "hierarchy": "model.hierarchy",
    "labels": "files.labels",
    "leases": "growing.leases",
    "leaves": "judging.leaves",
    "locate": "metric.locate",
    "measures": "comparing.measures",
    "owner": "growing.lease_owner",
    "pairs": "judging.pairs",
    "path": "metric.path",
    "patience": "growing.outage",
    "report": "comparing.report",
    "rollout": "growing.rollout",
    "shortest": "metric.shortest",
    "slabs": "model.pieces",
    "soundness": "model.invariants",
    "sources.arrays": "files.arrays",
    "sources.defaults": "defaults",
    "sources.documents": "files.texts",
    "sources.embeddings": "files.embeddings",
    "sources.field": "sources.field_plan",
    "sources.maps": "formats.maps",
    "sources.named": "files.named",
    "sources.newick": "formats.newick",
    "sources.parameters": "checks",
    "sources.trees": "model.trees",
    "store.disk": "server.disk",
    "store.growing": "store.growth",
    "store.home": "server.home",
    "store.importing": "server.importing",
    "store.jars": "server.jars",
    "store.java": "server.java",
    "store.launcher": "server.launcher",
    "store.local": "server.local",
    "store.lock": "server.lock",
    "store.orphans": "server.orphans",
    "store.pin_jars": "server.pin_jars",
    "tallies": "comparing.tallies",
    "train": "learning.train",
    "verify": "store.verify",
    "watch": "growing.status",
    "windows": "comparing.windows",
    "worker": "growing.worker",
}
VERBS = ("compare", "evaluate", "rollout", "train", "verify")  # functions of cfgraph that were modules under the same name


class _OldModule(ModuleType):
    """An old path: what is asked of it is the new module's."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(import_module(_new_name(self.__name__)), name)

    def __dir__(self) -> list[str]:
        return dir(import_module(_new_name(self.__name__)))


class _OldVerb(_OldModule):
    """An old path that hides a function of cfgraph once it was imported: it is called like that function still."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """What the function of the same name answers."""
        return self._verb(*arguments, **named)

    @property
    def __signature__(self) -> "Signature":
        """That of the function, for people and whoever else looks at it."""
        from inspect import signature

        return signature(self._verb)

    @property
    def _verb(self) -> Callable[..., Any]:
        package, _, name = self.__name__.rpartition(".")
        verb: Callable[..., Any] = import_module(package).__getattr__(
            name
        )  # which the module hides; its own may be an older one
        return verb


class _Finder(Loader):
    """Finds old paths and warns of them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of an old path; None for any other name."""
        if not fullname.startswith("cfgraph.") or fullname.removeprefix("cfgraph.") not in MOVED:
            return None
        new = _new_name(fullname)
        # The frames of the import machinery are not counted, so this is the line that imports.
        warnings.warn(f"{fullname} is {new} now; the old name goes with the next release", DeprecationWarning, stacklevel=2)
        return ModuleSpec(fullname, self, is_package=fullname == "cfgraph.exports")

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """A module that hands everything on."""
        return (_OldVerb if spec.name.removeprefix("cfgraph.") in VERBS else _OldModule)(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Load the new module, so that what fails there fails here; its docstring is the old one's."""
        module.__doc__ = import_module(_new_name(module.__name__)).__doc__


def _new_name(old: str) -> str:
    return "cfgraph." + MOVED[old.removeprefix("cfgraph.")]


def find_old_names() -> None:
    """Have old paths found from here on."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


def renamed(**names: str) -> Callable[[Function], Function]:
    """Of a function whose arguments had other names, old=new: the old ones work for one release, with a ``FutureWarning``.

    ``@renamed(point_nodes="points")``. Both at once is a ``TypeError``, as one argument given twice is anywhere.
    """

    def rename(function: Function) -> Function:
        @wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            for old in names.keys() & named.keys():
                new = names[old]
                if new in named:
                    raise TypeError(f"{function.__name__}() got {new!r} twice: {old!r} is what it was called before")
                warnings.warn(
                    f"{old!r} of {function.__name__}() is {new!r} now; the old name goes with the next release",
                    FutureWarning,
                    stacklevel=2,
                )
                named[new] = named.pop(old)
            return function(*arguments, **named)

        called.old_names = names  # type: ignore[attr-defined]  # for the reference, which names them
        return called  # type: ignore[return-value]  # of the same signature, which wraps keeps

    return rename
