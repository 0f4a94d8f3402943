// name: read_open_blocks
// purpose: of some blocks those that are still to grow, each with who holds it just now; a glance, after which a claim decides
// access: read
// parameter: blocks list<[key of the block's root, key of a frontier cell in it]>
// column: free list<string>
// column: held list<[key, owner]>
UNWIND $blocks AS block
MATCH (seed:Frontier {key: block[1]})
OPTIONAL MATCH (lease:Lease {key: block[0]} WHERE lease.until >= timestamp())
WITH block[0] AS key, lease.owner AS owner
RETURN collect(CASE WHEN owner IS NULL THEN key END) AS free, collect(CASE WHEN owner IS NOT NULL THEN [key, owner] END) AS held
