// name: claim_id
// purpose: take the lock under which ids are given out, and say what the id names already
// access: write
// parameter: id string
// column: hierarchy map or null
// column: predictor map or null
MATCH (schema:Schema {name: 'cfgraph'})
SET schema.claims = coalesce(schema.claims, 0) + 1
WITH schema
OPTIONAL MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
OPTIONAL MATCH (predictor:Predictor {id: $id} WHERE coalesce(predictor.recipe, predictor.incarnation) IS NOT NULL)
RETURN properties(hierarchy) AS hierarchy,
       CASE WHEN predictor IS NULL THEN null ELSE predictor {.id, .recipe, .incarnation, .created} END AS predictor
