"""Predictors: those that the graph keeps, and what each grew."""

from typing import Any

import neo4j

import cfgraph
from cfgraph.errors import DamagedError, InputError, NotFoundError, VanishedError
from cfgraph.model.address import check_id
from cfgraph.model.hierarchy import Hierarchy, Identity
from cfgraph.predictors.trained import Grower, TrainedPredictor
from cfgraph.store.graph import run_operation
from cfgraph.store.incarnation import hold_hierarchy, hold_predictor, identity_in, new_incarnation
from cfgraph.store.part import Part
from cfgraph.store.records import DamagedNode, predictor_of, properties_of, sound_ones


class Predictors(Part):
    """Keeping predictors and asking for them."""

    def write_predictor(self, trained: TrainedPredictor, *, observed: Hierarchy | None = None) -> TrainedPredictor:
        """Keep a trained predictor; the same recipe again is done already, another one under a taken id is refused.

        ``observed`` is the hierarchy that it learned from, as it was read from this store: a ``VanishedError`` where that is
        there no more, even if another was made under its id. The same predictor with its incarnation in this store comes back.
        """
        self.ensure_schema()
        return self._graph.transact(lambda tx: write_predictor_in(tx, trained, observed=observed))

    def predictors(self) -> list[TrainedPredictor]:
        """Every predictor, without its weights, oldest first; but those whose nodes are damaged (``Store.damaged``)."""
        return self._listed_predictors()[0]

    def _listed_predictors(self) -> tuple[list[TrainedPredictor], list[DamagedNode]]:
        return sound_ones((row["predictor"] for row in self._graph.read("list_predictors")), predictor_of)

    def predictor(self, id: str) -> TrainedPredictor:
        """One predictor with its weights; a ``NotFoundError`` where there is none of that id."""
        rows = self._graph.read("read_predictor", id=check_id(id))
        if not rows:
            raise NotFoundError(f"there is no predictor {id!r} in this store; `cfgraph ls` lists what it holds")
        return predictor_of(rows[0]["predictor"])

    def link_truth(self, copy: Hierarchy, truth: Hierarchy) -> None:
        """Remember which hierarchy a copy predicts, both as this store gave them; a ``VanishedError`` where one is gone."""

        def work(tx: neo4j.ManagedTransaction) -> None:
            for held in sorted((copy, truth), key=lambda hierarchy: hierarchy.id):  # one order of locks for all
                hold_hierarchy(tx, held.id, held.identity)
            run_operation(tx, "link_truth", id=copy.id, truth=truth.id)

        self._graph.transact(work)

    def growers(self, id: str) -> list[Grower]:
        """Every predictor that grew a hierarchy, with the growths that it did."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self._graph.read("read_growth", id=id):
            if not isinstance(row["predictor"], str):
                raise DamagedError.of(id, f"what grew it has the id {row['predictor']!r}")
            found.setdefault(row["predictor"], []).append(row["growth"])
        return [Grower(self.predictor(name), growths) for name, growths in found.items()]


def write_predictor_in(
    tx: neo4j.ManagedTransaction, trained: TrainedPredictor, *, observed: Hierarchy | None = None
) -> TrainedPredictor:
    """Keep a trained predictor, as a part of what a transaction does; see :meth:`Predictors.write_predictor`."""
    found = check_predictor_in(tx, trained)
    if observed is not None:
        _, state = hold_hierarchy(tx, observed.id, observed.identity)
        if state == "removing":
            raise VanishedError(f"hierarchy {observed.id!r} was removed meanwhile")
    if found is not None:
        token = found.incarnation or hold_predictor(tx, trained.id, found).incarnation
        return trained.model_copy(update={"incarnation": token, "created": found.created})
    token = new_incarnation()
    properties = {**properties_of(trained), "incarnation": token, "version": cfgraph.__version__}
    run_operation(tx, "write_predictor", properties=properties, hierarchy=trained.hierarchy, depth=trained.depth)
    return trained.model_copy(update={"incarnation": token})


def check_predictor_in(tx: neo4j.ManagedTransaction, trained: TrainedPredictor) -> Identity | None:
    """Which one the same predictor is that is there already; an ``InputError`` where its id is taken by anything else."""
    found = run_operation(tx, "claim_id", id=trained.id)[0]
    if found["hierarchy"] is not None:
        raise InputError(f"the id {trained.id!r} is taken by a hierarchy; choose another")
    if found["predictor"] is not None and found["predictor"]["recipe"] != properties_of(trained)["recipe"]:
        raise InputError(
            f"the id {trained.id!r} is taken by a predictor of another recipe; choose another, or `cfgraph rm {trained.id}`"
        )
    return None if found["predictor"] is None else identity_in(found["predictor"])
