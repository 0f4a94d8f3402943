// name: release_block
// purpose: give a lease back unfinished
// access: write
// parameter: key string
// parameter: token string
// column: released integer
MATCH (lease:Lease {key: $key}) WHERE lease.token = $token DELETE lease RETURN count(*) AS released
