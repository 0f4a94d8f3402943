// name: set_hierarchy_state
// purpose: move a hierarchy, whose node is locked, on to another state
// access: write
// parameter: id string
// parameter: state string
// column: state string
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
SET hierarchy.state = $state
RETURN hierarchy.state AS state
