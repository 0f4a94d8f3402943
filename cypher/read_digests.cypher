// name: read_digests
// purpose: a page of the digests of a hierarchy's subtrees, in key order
// access: read
// parameter: start string
// parameter: high string
// parameter: page integer
// column: digest map
MATCH (digest:SubtreeDigest)
WHERE digest.key >= $start AND digest.key < $high
RETURN properties(digest) AS digest ORDER BY digest.key LIMIT $page
