// name: read_copies
// purpose: the hierarchies that predict one, the latest first
// access: read
// parameter: id string
// column: copy string
// column: state string
MATCH (grown:Hierarchy WHERE coalesce(grown.recipe, grown.incarnation) IS NOT NULL)-[:PREDICTS]->(truth:Hierarchy {id: $id})
RETURN grown.id AS copy, grown.state AS state
ORDER BY grown.created DESC, grown.id
