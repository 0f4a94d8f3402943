// name: claim_block
// purpose: lease a block: it is ours if nobody holds it, if its lease has ended by the server's clock, or if its owner is known dead
// access: write
// parameter: id string
// parameter: key string
// parameter: owner string
// parameter: token string
// parameter: milliseconds integer
// parameter: dead_owner string or null
// column: owner string
// column: token string
// column: taken_over boolean
MATCH (hierarchy:Hierarchy {id: $id})
WHERE hierarchy.state = 'growing'
MERGE (lease:Lease {key: $key})
SET lease.hierarchy = $id
WITH lease, lease.owner AS before,
     lease.token IS NULL OR lease.until < timestamp() OR coalesce(lease.owner = $dead_owner, false) AS free
FOREACH (claim IN CASE WHEN free THEN [1] ELSE [] END |
  SET lease.owner = $owner, lease.token = $token, lease.until = timestamp() + $milliseconds)
RETURN lease.owner AS owner, lease.token AS token, free AND before IS NOT NULL AS taken_over
