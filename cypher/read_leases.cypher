// name: read_leases
// purpose: the leases on a hierarchy, but those that were left on one of the same id that was removed
// access: read
// parameter: id string
// column: key string
// column: owner string or null
// column: until integer or null
// column: milliseconds integer or null, by the server's clock, for which it still holds
MATCH (lease:Lease) WHERE lease.hierarchy = $id
OPTIONAL MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
WITH lease, coalesce(lease.incarnation <> hierarchy.incarnation, false) AS left
WHERE NOT left
RETURN lease.key AS key, lease.owner AS owner, lease.until AS until, lease.until - timestamp() AS milliseconds
ORDER BY key
