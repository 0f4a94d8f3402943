"""Predictors: those that the graph keeps, and what each grew."""

from typing import Any

import neo4j

from cfgraph.errors import InputError, NotFoundError
from cfgraph.model.address import check_id
from cfgraph.predictors.trained import Grower, TrainedPredictor
from cfgraph.store.graph import run_operation
from cfgraph.store.part import Part
from cfgraph.store.records import predictor_of, properties_of


class Predictors(Part):
    """Keeping predictors and asking for them."""

    def write_predictor(self, trained: TrainedPredictor) -> None:
        """Keep a trained predictor; the same recipe again is done already, another one under a taken id is refused."""
        self.ensure_schema()
        self._graph.transact(lambda tx: write_predictor_in(tx, trained))

    def predictors(self) -> list[TrainedPredictor]:
        """Every predictor, without its weights, oldest first."""
        return [predictor_of(row["predictor"]) for row in self._graph.read("list_predictors")]

    def predictor(self, id: str) -> TrainedPredictor:
        """One predictor with its weights; a ``NotFoundError`` where there is none of that id."""
        rows = self._graph.read("read_predictor", id=check_id(id))
        if not rows:
            raise NotFoundError(f"there is no predictor {id!r} in this store; `cfgraph ls` lists what it holds")
        return predictor_of(rows[0]["predictor"])

    def link_truth(self, copy: str, truth: str) -> None:
        """Remember which hierarchy a copy predicts."""
        self._graph.write("link_truth", id=copy, truth=truth)

    def growers(self, id: str) -> list[Grower]:
        """Every predictor that grew a hierarchy, with the growths that it did."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self._graph.read("read_growth", id=id):
            found.setdefault(row["predictor"], []).append(row["growth"])
        return [Grower(self.predictor(name), growths) for name, growths in found.items()]


def write_predictor_in(tx: neo4j.ManagedTransaction, trained: TrainedPredictor) -> None:
    """Keep a trained predictor, as a part of what a transaction does; see :meth:`Predictors.write_predictor`."""
    if not check_predictor_in(tx, trained):
        properties = properties_of(trained)
        run_operation(tx, "write_predictor", properties=properties, hierarchy=trained.hierarchy, depth=trained.depth)


def check_predictor_in(tx: neo4j.ManagedTransaction, trained: TrainedPredictor) -> bool:
    """Whether the same predictor is there already; an ``InputError`` where its id is taken by anything else."""
    found = run_operation(tx, "claim_id", id=trained.id)[0]
    if found["hierarchy"] is not None:
        raise InputError(f"the id {trained.id!r} is taken by a hierarchy; choose another")
    if found["predictor"] is not None and found["predictor"]["recipe"] != properties_of(trained)["recipe"]:
        raise InputError(
            f"the id {trained.id!r} is taken by a predictor of another recipe; choose another, or `cfgraph rm {trained.id}`"
        )
    return found["predictor"] is not None
