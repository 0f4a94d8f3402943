// name: release_leases
// purpose: give leases back unfinished
// access: write
// parameter: leases list<[key, token]>
// column: released integer
UNWIND $leases AS held
MATCH (lease:Lease {key: held[0]}) WHERE lease.token = held[1] DELETE lease RETURN count(*) AS released
