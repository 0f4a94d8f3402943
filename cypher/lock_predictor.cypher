// name: lock_predictor
// purpose: take the lock of a predictor's node, then say which incarnation it is; one of an earlier version gets its token now
// access: write
// parameter: id string
// parameter: fresh string
// column: incarnation string
// column: created datetime or null
MATCH (predictor:Predictor {id: $id} WHERE coalesce(predictor.recipe, predictor.incarnation) IS NOT NULL)
SET predictor.locked = true
REMOVE predictor.locked
WITH predictor
SET predictor.incarnation = coalesce(predictor.incarnation, $fresh)
RETURN predictor.incarnation AS incarnation, predictor.created AS created
