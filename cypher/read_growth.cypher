// name: read_growth
// purpose: what grew a hierarchy, the latest first, and the hierarchy that it predicts
// access: read
// parameter: id string
// column: growth map
// column: predictor string
// column: truth string or null
// column: incarnation string or null
// column: predictor_incarnation string or null
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)-[growth:GROWN_BY]->(predictor:Predictor)
OPTIONAL MATCH (hierarchy)-[:PREDICTS]->(truth:Hierarchy)
RETURN properties(growth) AS growth, predictor.id AS predictor, truth.id AS truth,
       hierarchy.incarnation AS incarnation, predictor.incarnation AS predictor_incarnation
ORDER BY growth.since DESC
