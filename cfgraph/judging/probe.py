"""Linear probe: how much a linear rule finds of the classes in embeddings of the points (Alain and Bengio 2016)."""

import warnings

import numpy as np
from jaxtyping import Float, Shaped

from cfgraph.errors import InputError

FOLDS = 5
PENALTY = 10.0  # C of scikit-learn's: little regularisation, since latents have few columns for their points
ITERATIONS_MAX = 2_000


def linear_probe(
    embedding: Float[np.ndarray, "rows dim"], label: Shaped[np.ndarray, " points"], *, folds: int = FOLDS, seed: int = 0
) -> float:
    """The share of points whose class a logistic regression on the other folds' embeddings finds.

    Folds are drawn at random; each point is asked for once, by a rule that never saw it.

    Raises:
        InputError: for fewer points than folds, fewer than two classes, and embeddings of another number than points.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold

    label = np.unique(np.asarray(label), return_inverse=True)[1]
    if len(embedding) != len(label):
        raise InputError(f"expected an embedding for each of {len(label):,} points, got {len(embedding):,}")
    if len(label) < folds or label.max(initial=0) == 0:
        raise InputError(
            f"a linear probe needs at least {folds} points of at least two classes, got {len(label)} of {len(np.unique(label))}"
        )
    right = 0
    for known, new in KFold(folds, shuffle=True, random_state=seed).split(embedding):
        if len(np.unique(label[known])) == 1:  # nothing to regress on: all are called by the one class there is
            right += int(np.count_nonzero(label[new] == label[known][0]))
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the iterations were enough or not: the share says how good the rule is
            model = LogisticRegression(C=PENALTY, max_iter=ITERATIONS_MAX).fit(embedding[known], label[known])
        right += int(np.count_nonzero(model.predict(embedding[new]) == label[new]))
    return right / len(label)
