// name: claim_frontier
// purpose: lease the first of some blocks that are still to grow and that nobody holds; what became of the blocks looked at
// access: write
// parameter: id string
// parameter: incarnation string or null
// parameter: since integer or null
// parameter: blocks list<[key of the block's root, key of a frontier cell in it]>
// parameter: most integer
// parameter: owner string
// parameter: token string
// parameter: milliseconds integer
// parameter: rate float
// parameter: dead_owners list<string>
// column: incarnation string or null
// column: state string
// column: pinned boolean
// column: answers list<[key, 'done' or 'free' or 'held', owner or null]>
// column: claims list<[key, owner that it was taken from, or null]>
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
OPTIONAL MATCH (hierarchy)-[growth:GROWN_BY {done: false}]->(:Predictor)
// A worker that slept while its growth was removed takes no part in the one that came after it.
WHERE ($since IS NULL OR growth.since = $since) AND ($incarnation IS NULL OR hierarchy.incarnation = $incarnation)
WITH hierarchy.incarnation AS incarnation, growth, hierarchy.state AS state
UNWIND $blocks AS block
OPTIONAL MATCH (seed:Frontier {key: block[1]})
OPTIONAL MATCH (lease:Lease {key: block[0]})
WITH incarnation, growth, state, block, seed, lease,
     lease.token IS NULL OR lease.until < timestamp() OR lease.owner IN $dead_owners OR lease.token = $token
       OR coalesce(lease.incarnation <> incarnation, false) AS open
WITH incarnation, growth, state, collect([block[0], CASE WHEN seed IS NULL THEN 'done' WHEN open THEN 'free' ELSE 'held' END,
                             lease.owner, block[1]]) AS answers
// A property is written to take the lock; only then is looked again whether the block is free.
CALL (incarnation, growth, state, answers) {
  UNWIND [answer IN answers WHERE answer[1] = 'free' AND growth IS NOT NULL AND state = 'growing'][..$most] AS block
  MERGE (lease:Lease {key: block[0]})
  SET lease.hierarchy = $id
  WITH incarnation, growth, block, lease, lease.owner AS before, lease.token AS token,
       lease.token IS NULL OR lease.until < timestamp() OR lease.owner IN $dead_owners OR lease.token = $token
         // Left by a claim of which its worker heard when the hierarchy that it was on had been removed.
         OR coalesce(lease.incarnation <> incarnation, false) AS open
  OPTIONAL MATCH (seed:Frontier {key: block[3]})
  WITH incarnation, growth, lease, before, token, block[0] AS key, open AND seed IS NOT NULL AS granted, seed IS NULL AND token IS NULL AS idle
  FOREACH (once IN CASE WHEN granted THEN [1] ELSE [] END |
    SET lease.owner = $owner, lease.token = $token, lease.until = timestamp() + $milliseconds, lease.rate = $rate,
        lease.incarnation = incarnation)
  FOREACH (once IN CASE WHEN granted AND token <> $token THEN [1] ELSE [] END |
    SET growth.taken_over = coalesce(growth.taken_over, 0) + 1)
  FOREACH (once IN CASE WHEN idle THEN [1] ELSE [] END | DELETE lease)
  RETURN collect(CASE WHEN granted THEN [key, CASE WHEN token <> $token THEN before END] END) AS claims
}
RETURN incarnation, state, growth IS NOT NULL AS pinned, [answer IN answers | answer[..3]] AS answers, claims
