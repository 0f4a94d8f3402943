// name: confirm_digests
// purpose: digests of some subtrees are true of what the hierarchy has grown to by now; it is locked
// access: write
// parameter: keys list<string>
// parameter: grown string
// column: confirmed integer
UNWIND $keys AS key
MATCH (digest:SubtreeDigest {key: key})
SET digest.grown = $grown
RETURN count(digest) AS confirmed
