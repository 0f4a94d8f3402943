// name: read_hierarchy
// purpose: one hierarchy
// access: read
// parameter: id string
// column: hierarchy map
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
RETURN properties(hierarchy) AS hierarchy
