// name: read_digests_at
// purpose: the digests of some subtrees, those that there are
// access: read
// parameter: keys list<string>
// column: digest map
UNWIND $keys AS key
MATCH (digest:SubtreeDigest {key: key})
RETURN properties(digest) AS digest
