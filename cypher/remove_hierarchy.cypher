// name: remove_hierarchy
// purpose: remove a hierarchy whose cells are gone
// access: write
// parameter: id string
// column: removed integer
MATCH (hierarchy:Hierarchy {id: $id} WHERE hierarchy.recipe IS NOT NULL)
DETACH DELETE hierarchy RETURN count(*) AS removed
