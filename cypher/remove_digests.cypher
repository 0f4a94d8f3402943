// name: remove_digests
// purpose: remove up to a batch of the digests of a hierarchy's subtrees: all, or those of another growth or of an earlier pass
// access: write
// parameter: low string
// parameter: high string
// parameter: batch integer
// parameter: grown string or null
// parameter: made datetime or null
// column: removed integer
MATCH (digest:SubtreeDigest)
WHERE digest.key >= $low AND digest.key < $high
      AND ($grown IS NULL OR coalesce(digest.grown <> $grown, true)) AND ($made IS NULL OR coalesce(digest.made <> $made, true))
WITH digest LIMIT $batch
DETACH DELETE digest
RETURN count(*) AS removed
