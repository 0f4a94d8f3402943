// name: list_predictors
// purpose: every predictor without its weights, oldest first
// access: read
// column: predictor map
MATCH (predictor:Predictor WHERE coalesce(predictor.recipe, predictor.incarnation) IS NOT NULL AND predictor.id IS NOT NULL)
RETURN predictor {.*, weights: null} AS predictor ORDER BY predictor.created, predictor.id
