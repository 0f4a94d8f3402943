"""Testing: what an engine, a predictor, a reader or a source of somebody else's must do to work here, as checks to call.

    check_engine(executor, store)      rollouts on it: values and errors come home, functions run each time, the same digest
    check_predictor(kind)              a family's class, or one that has learned: shapes, bounds, the same bits, saved and read
    check_reader(reader, cells)        cells by address, as compare, locate and the explorer ask for them
    check_source(make)                 hierarchies that can be written and made again: sound cells, a recipe that JSON keeps

Each asks what cfgraph relies on and nothing else, raises an ``AssertionError`` that says what was expected and what came, and
needs no test framework: call it in a test of your own. docs/extending.md has an example of each.
"""

from typing import TYPE_CHECKING

from cfgraph.late import load_late

if TYPE_CHECKING:
    from cfgraph.testing.engines import check_engine as check_engine
    from cfgraph.testing.predictors import check_predictor as check_predictor
    from cfgraph.testing.readers import check_reader as check_reader
    from cfgraph.testing.sources import check_source as check_source

__all__ = ["check_engine", "check_predictor", "check_reader", "check_source"]

_HOMES = {
    "check_engine": "cfgraph.testing.engines",
    "check_predictor": "cfgraph.testing.predictors",
    "check_reader": "cfgraph.testing.readers",
    "check_source": "cfgraph.testing.sources",
}

if not TYPE_CHECKING:  # a type checker goes by the names above: another one is a mistake
    __getattr__ = load_late(__name__, _HOMES)
