// name: set_own_kinds
// purpose: the kinds of the own properties of a hierarchy's cells, whose node is locked, where it does not say them yet
// access: write
// parameter: id string
// parameter: kinds string
// column: kinds string
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
SET hierarchy.own_kinds = coalesce(hierarchy.own_kinds, $kinds)
RETURN hierarchy.own_kinds AS kinds
