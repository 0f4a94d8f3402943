// name: read_roots
// purpose: the cells that a hierarchy calls its root
// access: read
// parameter: id string
// column: key string or null
// column: is_cell boolean
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)-[:ROOT]->(root)
RETURN root.key AS key, root:Cell AS is_cell
