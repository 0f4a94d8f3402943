// name: read_incarnation
// purpose: which hierarchy and which predictor an id names just now, and the hierarchy's state; nulls where it names none
// access: read
// parameter: id string
// column: hierarchy map or null
// column: predictor map or null
OPTIONAL MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
OPTIONAL MATCH (predictor:Predictor {id: $id} WHERE coalesce(predictor.recipe, predictor.incarnation) IS NOT NULL)
RETURN CASE WHEN hierarchy IS NULL THEN null ELSE hierarchy {.incarnation, .created, .state} END AS hierarchy,
       CASE WHEN predictor IS NULL THEN null ELSE predictor {.incarnation, .created} END AS predictor
