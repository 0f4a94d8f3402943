// name: read_workers
// purpose: who works on a hierarchy just now: the owners of leases that hold, with their cells a second
// access: read
// parameter: id string
// column: owner string
// column: leases integer
// column: rate float
MATCH (lease:Lease)
WHERE lease.hierarchy = $id AND lease.until >= timestamp()
OPTIONAL MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
WITH lease, coalesce(lease.incarnation <> hierarchy.incarnation, false) AS left
WHERE NOT left
RETURN lease.owner AS owner, count(lease) AS leases, max(coalesce(lease.rate, 0.0)) AS rate ORDER BY owner
