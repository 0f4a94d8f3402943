// name: list_hierarchies
// purpose: every hierarchy, oldest first
// access: read
// column: hierarchy map
MATCH (hierarchy:Hierarchy WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL AND hierarchy.id IS NOT NULL)
RETURN properties(hierarchy) AS hierarchy ORDER BY hierarchy.created, hierarchy.id
