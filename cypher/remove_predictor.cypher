// name: remove_predictor
// purpose: forget a predictor, whose node is locked; hierarchies that it grew keep their cells, and its name
// access: write
// parameter: id string
// column: removed integer
MATCH (predictor:Predictor {id: $id} WHERE coalesce(predictor.recipe, predictor.incarnation) IS NOT NULL)
OPTIONAL MATCH (hierarchy:Hierarchy)-[:GROWN_BY]->(predictor)
WITH predictor, collect(DISTINCT hierarchy) AS grown
FOREACH (hierarchy IN grown | SET hierarchy.former_predictors = coalesce(hierarchy.former_predictors, []) + [$id])
DETACH DELETE predictor
RETURN count(*) AS removed
