// name: fence_block
// purpose: prove that a block's lease still holds, by its token and the server's clock, and end it; and which incarnation it is
// access: write
// parameter: id string
// parameter: key string
// parameter: token string
// column: held boolean
// column: incarnation string or null
// column: state string or null
OPTIONAL MATCH (lease:Lease {key: $key})
SET lease.hierarchy = lease.hierarchy
WITH lease, coalesce(lease.token = $token AND lease.until >= timestamp(), false) AS held
FOREACH (once IN CASE WHEN held THEN [1] ELSE [] END | DELETE lease)
WITH held
// Without a lock: the block's own cells are locked by now, and the node is there before any cell and after the last one.
OPTIONAL MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
RETURN held, hierarchy.incarnation AS incarnation, hierarchy.state AS state
