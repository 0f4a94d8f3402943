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
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL),
      (predictor:Predictor {id: $predictor} WHERE coalesce(predictor.recipe, predictor.incarnation) IS NOT NULL)
WITH hierarchy, predictor, hierarchy.state AS state, COUNT { (hierarchy)-[:GROWN_BY]->() } AS growths
OPTIONAL MATCH (hierarchy)-[active:GROWN_BY {done: false}]->(other:Predictor)
FOREACH (free IN CASE WHEN active IS NULL AND growths = $growths AND state = $state AND state IN ['complete', 'growing'] THEN [1] ELSE [] END |
  CREATE (hierarchy)-[made:GROWN_BY]->(predictor)
  SET made = $growth, made.done = false, made.since = timestamp(), hierarchy.state = 'growing')
WITH hierarchy, state, active, other
OPTIONAL MATCH (hierarchy)-[growth:GROWN_BY {done: false}]->(:Predictor)
RETURN state, properties(active) AS pinned, other.id AS pinned_predictor, growth.since AS since
