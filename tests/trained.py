"""Full-size networks, trained once for all tests that look at them, whatever worker runs these."""

import fcntl
import hashlib
import json
import os
import pickle
from pathlib import Path

from cfgraph.learning.train import train
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.predictors.trained import TrainedPredictor


def train_once(truth: Hierarchy, *, depth: int, family: str = "auto", seed: int = 0) -> TrainedPredictor:
    """``train`` from the first levels of ``truth``; who asks again in this run of tests gets what the first one learned."""
    folder = Path(os.environ["CFGRAPH_TEST_PLACE"]) / "trained"
    folder.mkdir(exist_ok=True)
    asked = json.dumps([truth.recipe, depth, family, seed], sort_keys=True)
    kept = folder / hashlib.sha256(asked.encode()).hexdigest()
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other worker waits rather than training the same
        if not kept.exists():
            prefix = truth.with_cells(truth.cells.prefix(depth))
            kept.write_bytes(pickle.dumps(train(prefix, id="rule", depth=depth, family=family, seed=seed)))
        return pickle.loads(kept.read_bytes())
