// name: list_truths
// purpose: which hierarchies were grown as copies of which others
// access: read
// column: id string
// column: truth string
MATCH (copy:Hierarchy WHERE coalesce(copy.recipe, copy.incarnation) IS NOT NULL)-[:PREDICTS]->(truth:Hierarchy)
RETURN copy.id AS id, truth.id AS truth ORDER BY id
