// name: read_open_blocks
// purpose: of some blocks those that are still to grow, each with who holds it just now; a glance, after which a claim decides
// access: read
// parameter: blocks list<[key of the block's root, key of a frontier cell in it]>
// column: key string
// column: owner string or null
UNWIND $blocks AS block
MATCH (seed:Frontier {key: block[1]})
OPTIONAL MATCH (lease:Lease {key: block[0]} WHERE lease.until >= timestamp())
RETURN block[0] AS key, lease.owner AS owner
