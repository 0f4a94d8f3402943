// name: confirm_digests
// purpose: digests in some stretches of keys that were true of former growths are true of those that there are by now; a batch of them
// access: write
// parameter: stretches list<[first key, key behind the last, name of the former growths]>, in the order of keys
// parameter: version integer
// parameter: incarnation string or null
// parameter: marked string
// parameter: grown string
// parameter: batch integer
// column: confirmed integer
// column: last string or null, the highest key of them
UNWIND $stretches AS stretch
CALL (stretch) {
  MATCH (digest:SubtreeDigest)
  WHERE digest.key >= stretch[0] AND digest.key < stretch[1] AND digest.grown = stretch[2] AND digest.grown <> $grown
        AND digest.version = $version AND digest.incarnation = $incarnation AND digest.marked = $marked
  RETURN digest ORDER BY digest.key LIMIT $batch
}
WITH digest LIMIT $batch
SET digest.grown = $grown
RETURN count(digest) AS confirmed, max(digest.key) AS last
