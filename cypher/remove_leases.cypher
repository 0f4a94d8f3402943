// name: remove_leases
// purpose: end every lease on a hierarchy, so that no worker can commit a block of it any more
// access: write
// parameter: id string
// column: removed integer
MATCH (lease:Lease) WHERE lease.hierarchy = $id DELETE lease RETURN count(*) AS removed
