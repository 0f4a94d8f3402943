"""Judging: a tree against labels or embeddings, two trees over the same leaves, flat cuts."""

from cfgraph.judging.against_data import (
    Interval,
    PurityPlan,
    SimilarityCost,
    bootstrap,
    check_similarity,
    cophenetic_correlation,
    dendrogram_purity,
    leaf_purity,
    similarity_cost,
    similarity_cost_of_pairs,
)

__all__ = [
    "Interval",
    "PurityPlan",
    "SimilarityCost",
    "bootstrap",
    "check_similarity",
    "cophenetic_correlation",
    "dendrogram_purity",
    "leaf_purity",
    "similarity_cost",
    "similarity_cost_of_pairs",
]
