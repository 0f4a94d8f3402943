// name: fence_block
// purpose: prove that a block's lease is still held by the token, and end it; 0 where it is not
// access: write
// parameter: key string
// parameter: token string
// column: held integer
MATCH (lease:Lease {key: $key})
SET lease.fenced = true
WITH lease
WHERE lease.token = $token
DELETE lease
RETURN count(*) AS held
