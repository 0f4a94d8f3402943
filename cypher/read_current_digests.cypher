// name: read_current_digests
// purpose: a page of those digests of a hierarchy's subtrees that are true of it as it is, in key order, as columns
// access: read
// parameter: start string
// parameter: high string
// parameter: page integer
// parameter: version integer
// parameter: incarnation string or null
// parameter: marked string
// parameter: grown string
// column: key list<string>
// column: cells list<list<integer>>
// column: frontier list<list<integer>>
// column: sums list<string>: that of the contents, then that of the states
MATCH (digest:SubtreeDigest)
WHERE digest.key >= $start AND digest.key < $high AND digest.version = $version AND digest.incarnation = $incarnation
      AND digest.marked = $marked AND digest.grown = $grown AND digest.made > datetime({epochMillis: 0})
      AND size(digest.cells) > 0
WITH digest ORDER BY digest.key LIMIT $page
RETURN collect(digest.key) AS key, collect(digest.cells) AS cells,
       collect(coalesce(digest.frontier, [])) AS frontier,
       collect(coalesce(digest.content, '') + coalesce(digest.state, '')) AS sums
