// name: set_hierarchy_state
// purpose: move a hierarchy on to another state, if it is in one of those expected
// access: write
// parameter: id string
// parameter: expected list<string>
// parameter: state string
// column: state string
MATCH (hierarchy:Hierarchy {id: $id} WHERE hierarchy.recipe IS NOT NULL)
WHERE hierarchy.state IN $expected
SET hierarchy.state = $state
RETURN hierarchy.state AS state
