"""Classes: how good the trees are that logits give: CIFAR-100 cut at 20, beside average linkage; digits' dendrogram purity."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.finding import Finding, Wanted
from benchmarks.rounds import Say
from cfgraph.sources.logits import mean_probabilities, merge_logits

SHARED = Path(__file__).parents[2] / "shared" / "data"
CLASSIFIERS = {"logp_wrn16_4": "a WRN-16-4, right in 75.4 %", "logp_lenet5": "a LeNet-5, right in 12.5 %"}
SPLITS = 10


def measure_classes(*, say: Say) -> list[Finding]:
    """``classes``: scores of trees; those of CIFAR-100 only where its log-probabilities lie beside the project."""
    return [*_judge_cifar(say=say), _judge_digits(say=say)]


def _judge_cifar(*, say: Say) -> Iterator[Finding]:
    files = SHARED / "cifar100_test_logprobs.npz", SHARED / "cifar100_test.npz"
    if not all(file.exists() for file in files):
        say("class trees of CIFAR-100: left out, since its log-probabilities are not there")
        return
    with np.load(files[1], allow_pickle=False) as images:
        official = images["fine_to_coarse"]
    with np.load(files[0], allow_pickle=False) as logits:
        for key, classifier in CLASSIFIERS.items():
            say(f"class trees of CIFAR-100, log-probabilities of {classifier}")
            yield from _judge_cut(logits[key], official, classifier=classifier)


def _judge_cut(logits: np.ndarray, official: np.ndarray, *, classifier: str) -> Iterator[Finding]:
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    count = len(np.unique(official))
    cuts = merge_logits(logits).cut(count), cut_average_linkage(logits, count)
    for title, measure in (("NMI", normalized_mutual_info_score), ("ARI", adjusted_rand_score)):
        ours, theirs = (float(measure(official, cut)) for cut in cuts)
        yield Finding(
            name="classes",
            title=f"{title}, a score, of CIFAR-100's classes cut at {count}: {classifier} (average linkage: {theirs:.3f})",
            values=(ours,),
            wanted=None,
            ours=f"`merge_logits` of {logits.shape[0]:,} x {logits.shape[1]} log-probabilities, the last {count - 1} merges "
            f"undone, against the {count} official superclasses: {ours:.3f}",
            theirs="SciPy's average linkage (UPGMA) on 1 - S, S the symmetrised mean softmax by predicted class, cut at as "
            f"many: {theirs:.3f}",
        )


def cut_average_linkage(logits: np.ndarray, clusters: int) -> np.ndarray:
    """Each class's cluster by average linkage on one minus the symmetrised mean probabilities by predicted class."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    similarity = np.nan_to_num(mean_probabilities(logits))  # a class that is predicted for no point is like no other
    distance = 1 - (similarity + similarity.T) / 2
    np.fill_diagonal(distance, 0)
    return fcluster(linkage(squareform(distance, checks=False), "average"), clusters, criterion="maxclust")


def _judge_digits(*, say: Say) -> Finding:
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from threadpoolctl import threadpool_limits

    from cfgraph.files.labels import Labels
    from cfgraph.judging.evaluate import evaluate
    from cfgraph.sources import logits

    say(f"class trees of hand-written digits: {SPLITS} splits")
    X, y = load_digits(return_X_y=True)
    purities = []
    for split in range(SPLITS):
        train, test, of_train, of_test = train_test_split(X / 16, y, random_state=split, test_size=0.5)
        with threadpool_limits(1):  # threads for products this small take a hundred times as long on a busy machine
            model = LogisticRegression(max_iter=500).fit(train, of_train)
        tree = logits(id="digits", data=model.decision_function(test))
        purities.append(evaluate(tree, labels=Labels(of_test)).dendrogram_purity)
    return Finding(
        name="classes",
        title=f"dendrogram purity, a score, of hand-written digits by logits, {SPLITS} splits",
        values=tuple(purities),
        wanted=Wanted("at least", 0.9),
        ours="`sources.logits` of a logistic regression's decision function on the half that it has not seen; classes of the "
        "points as labels",
        theirs=f"1 is a tree without a mistake; the first split is that of `random_state=0`: {purities[0]:.4f}",
    )
