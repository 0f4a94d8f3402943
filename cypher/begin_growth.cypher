// name: begin_growth
// purpose: pin what a rollout grows and how far, once for all its workers, if no other growth came or ended meanwhile; both are locked
// access: write
// parameter: id string
// parameter: predictor string
// parameter: growth map
// parameter: growths integer
// parameter: state string
// column: state string
// column: pinned map or null
// column: pinned_predictor string or null
// column: since integer or null
// column: fresh boolean
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL),
      (predictor:Predictor {id: $predictor} WHERE coalesce(predictor.recipe, predictor.incarnation) IS NOT NULL)
OPTIONAL MATCH (hierarchy)-[past:GROWN_BY]->(:Predictor)
WITH hierarchy, predictor, hierarchy.state AS state, count(past) + sum(coalesce(past.changes, 0)) AS turns
WITH hierarchy, predictor, state, turns = $growths AND state = $state AS fresh
// One of which only parts are grown stays pinned when they are there.
OPTIONAL MATCH (hierarchy)-[active:GROWN_BY WHERE active.done = false OR active.below IS NOT NULL]->(other:Predictor)
FOREACH (free IN CASE WHEN active IS NULL AND fresh AND state IN ['complete', 'growing'] THEN [1] ELSE [] END |
  CREATE (hierarchy)-[made:GROWN_BY]->(predictor)
  SET made = $growth, made.done = false, made.since = timestamp(), hierarchy.state = 'growing')
WITH hierarchy, state, fresh, active, other
OPTIONAL MATCH (hierarchy)-[growth:GROWN_BY {done: false}]->(:Predictor)
RETURN state, properties(active) AS pinned, other.id AS pinned_predictor, growth.since AS since, fresh
