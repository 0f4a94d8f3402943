// name: count_leases
// purpose: the leases on a hierarchy that have not ended
// access: read
// parameter: id string
// column: leases integer
// column: owners list<string>
MATCH (lease:Lease)
WHERE lease.hierarchy = $id AND lease.until >= timestamp()
RETURN count(lease) AS leases, collect(DISTINCT lease.owner) AS owners
