// name: renew_leases
// purpose: move the end of leases that still hold; which those were
// access: write
// parameter: leases list<[key, token]>
// parameter: milliseconds integer
// parameter: rate float
// column: key string
// column: token string
UNWIND $leases AS held
MATCH (lease:Lease {key: held[0]})
SET lease.hierarchy = lease.hierarchy
WITH lease, held
WHERE lease.token = held[1] AND lease.until >= timestamp()
SET lease.until = timestamp() + $milliseconds, lease.rate = $rate
RETURN lease.key AS key, lease.token AS token
