// name: read_state
// purpose: what a read has to find unchanged at its end: the hierarchy's properties and the growths that it had
// access: read
// parameter: id string
// column: hierarchy map
// column: growths list<map>
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
OPTIONAL MATCH (hierarchy)-[growth:GROWN_BY]->(:Predictor)
WITH hierarchy, growth ORDER BY growth.since
RETURN properties(hierarchy) AS hierarchy, collect(growth {.since, .from_depth, .done, .changes}) AS growths
