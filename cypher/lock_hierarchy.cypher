// name: lock_hierarchy
// purpose: take the lock of a hierarchy's node, then say which incarnation it is; one of an earlier version gets its token now
// access: write
// parameter: id string
// parameter: fresh string
// column: incarnation string
// column: created datetime or null
// column: state string or null
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
// A property is written to take the lock; only then is looked what the node holds.
SET hierarchy.locked = true
REMOVE hierarchy.locked
WITH hierarchy
SET hierarchy.incarnation = coalesce(hierarchy.incarnation, $fresh)
RETURN hierarchy.incarnation AS incarnation, hierarchy.created AS created, hierarchy.state AS state
