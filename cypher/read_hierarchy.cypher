// name: read_hierarchy
// purpose: one hierarchy
// access: read
// parameter: id string
// column: hierarchy map
MATCH (hierarchy:Hierarchy {id: $id} WHERE hierarchy.recipe IS NOT NULL)
RETURN properties(hierarchy) AS hierarchy
