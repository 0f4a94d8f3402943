"""The metric: path distances, radii and certificates of arrays of cells; shortest ways; the cell that a point belongs to."""

from cfgraph.metric.distances import (
    Certificate,
    RecurrenceCertificate,
    center_differences,
    common_ancestors,
    depth_for_precision,
    field_radius,
    path_distances,
    recurrence_bound,
    subtree_radii,
    truncation_bound,
)

__all__ = [
    "Certificate",
    "RecurrenceCertificate",
    "center_differences",
    "common_ancestors",
    "depth_for_precision",
    "field_radius",
    "path_distances",
    "recurrence_bound",
    "subtree_radii",
    "truncation_bound",
]
