// name: read_predictor
// purpose: one predictor with its weights
// access: read
// parameter: id string
// column: predictor map
MATCH (predictor:Predictor {id: $id} WHERE coalesce(predictor.recipe, predictor.incarnation) IS NOT NULL)
RETURN properties(predictor) AS predictor
