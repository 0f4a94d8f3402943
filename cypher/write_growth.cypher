// name: write_growth
// purpose: record that a predictor grew a hierarchy, as another store knows it; what is recorded already is left as it is
// access: write
// parameter: id string
// parameter: predictor string
// parameter: growth map
// column: written integer
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL),
      (predictor:Predictor {id: $predictor} WHERE coalesce(predictor.recipe, predictor.incarnation) IS NOT NULL)
MERGE (hierarchy)-[growth:GROWN_BY {since: $growth.since}]->(predictor)
ON CREATE SET growth = $growth
RETURN count(growth) AS written
