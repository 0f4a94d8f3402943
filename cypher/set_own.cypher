// name: set_own
// purpose: what own properties the cells of a hierarchy, whose node is locked, have, which of them are cuts; and who changes that
// access: write
// parameter: id string
// parameter: own list<string> or null
// parameter: kinds string or null
// parameter: cuts string or null
// parameter: token string
// column: token string
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
SET hierarchy.own = $own, hierarchy.own_kinds = $kinds, hierarchy.cuts = $cuts, hierarchy.marked = $token
RETURN hierarchy.marked AS token
