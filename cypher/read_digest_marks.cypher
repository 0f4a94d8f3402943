// name: read_digest_marks
// purpose: a page of the digests of cells on a level in some stretches of keys, in key order, as columns: what tells whether they are true
// access: read
// parameter: stretches list<[first key, key behind the last]>, in the order of keys
// parameter: level integer
// parameter: page integer
// parameter: version integer
// parameter: incarnation string or null
// parameter: marked string
// column: key list<string>
// column: grown list<string>
// column: frontier list<list<integer>>
UNWIND $stretches AS stretch
CALL (stretch) {
  MATCH (digest:SubtreeDigest)
  WHERE digest.key >= stretch[0] AND digest.key < stretch[1] AND digest.level = $level
        AND digest.version = $version AND digest.incarnation = $incarnation AND digest.marked = $marked
  RETURN digest ORDER BY digest.key LIMIT $page
}
WITH digest LIMIT $page
RETURN collect(digest.key) AS key, collect(coalesce(digest.grown, '')) AS grown,
       collect(coalesce(digest.frontier, [])) AS frontier
