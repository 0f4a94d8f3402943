// name: read_deepest_digest
// purpose: the deepest level on which cells of a hierarchy have digests of their subtrees, -1 where there are none
// access: read
// parameter: low string
// parameter: high string
// column: level integer
MATCH (digest:SubtreeDigest)
WHERE digest.key >= $low AND digest.key < $high
RETURN coalesce(max(digest.level), -1) AS level
