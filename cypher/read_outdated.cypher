// name: read_outdated
// purpose: the hierarchies whose description lacks the kinds of their cells' own properties, as 0.1 wrote them
// access: read
// column: id string
MATCH (hierarchy:Hierarchy WHERE hierarchy.id IS NOT NULL AND coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
WHERE hierarchy.own IS NOT NULL AND hierarchy.own_kinds IS NULL AND hierarchy.arity IS NULL
RETURN hierarchy.id AS id ORDER BY id
