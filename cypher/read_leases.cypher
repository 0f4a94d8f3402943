// name: read_leases
// purpose: the leases on a hierarchy
// access: read
// parameter: id string
// column: key string
// column: owner string or null
// column: until integer or null
MATCH (lease:Lease) WHERE lease.hierarchy = $id RETURN lease.key AS key, lease.owner AS owner, lease.until AS until ORDER BY key
