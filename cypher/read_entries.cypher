// name: read_entries
// purpose: what was noted of a hierarchy
// access: read
// parameter: id string
// column: entries list<map>
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
RETURN COLLECT { MATCH (hierarchy)-[:HISTORY]->(entry:Entry) RETURN properties(entry) } AS entries
