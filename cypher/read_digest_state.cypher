// name: read_digest_state
// purpose: what the digests of a hierarchy's subtrees are true of: which one it is, and what grew it; and the time
// access: read
// parameter: id string
// column: incarnation string or null
// column: created datetime or null
// column: state string or null
// column: growths list<map>
// column: former list<string>, of predictors that grew it and were removed, whose growths are gone with them
// column: marked string or null, another one whenever a cut was kept as a property of the cells
// column: now datetime
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
OPTIONAL MATCH (hierarchy)-[growth:GROWN_BY]->(:Predictor)
WITH hierarchy, growth ORDER BY growth.since
WITH hierarchy, collect(growth {.since, .from_depth, .done, .changes}) AS growths
RETURN hierarchy.incarnation AS incarnation, hierarchy.created AS created, hierarchy.state AS state, growths,
       coalesce(hierarchy.former_predictors, []) AS former, hierarchy.marked AS marked, datetime() AS now
