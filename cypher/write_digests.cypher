// name: write_digests
// purpose: digests of some subtrees, in place of those that there were; the hierarchy is locked
// access: write
// parameter: rows list<map>
// column: written integer
UNWIND $rows AS row
MERGE (digest:SubtreeDigest {key: row.key})
SET digest = row
RETURN count(digest) AS written
