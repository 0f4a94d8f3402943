// name: finish_growth
// purpose: a rollout has reached its stop; leases that are left (where time was the stop, or a worker died) end
// access: write
// parameter: id string
// parameter: since integer
// parameter: below list<string> or null
// column: state string
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)-[growth:GROWN_BY {since: $since}]->(:Predictor)
// The node is locked: another worker may have recorded it, the hierarchy may be grown on, or be half removed.
WITH hierarchy, growth, NOT growth.done AND hierarchy.state = 'growing' AS due
FOREACH (once IN CASE WHEN due THEN [1] ELSE [] END |
  SET growth.done = true, growth.below = $below, growth.pending = null, hierarchy.state = 'complete')
WITH hierarchy, due
OPTIONAL MATCH (lease:Lease {hierarchy: $id}) WHERE due
DELETE lease
RETURN DISTINCT hierarchy.state AS state
