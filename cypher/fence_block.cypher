// name: fence_block
// purpose: prove that a block's lease still holds, by its token and the server's clock, and end it; 0 where it does not
// access: write
// parameter: key string
// parameter: token string
// column: held integer
MATCH (lease:Lease {key: $key})
SET lease.hierarchy = lease.hierarchy
WITH lease
WHERE lease.token = $token AND lease.until >= timestamp()
DELETE lease
RETURN count(*) AS held
