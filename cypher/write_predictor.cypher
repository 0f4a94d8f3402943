// name: write_predictor
// purpose: keep a trained predictor beside the hierarchy it learned from
// access: write
// parameter: properties map
// parameter: hierarchy string
// parameter: depth integer
// column: id string
CREATE (predictor:Predictor)
SET predictor = $properties
WITH predictor
OPTIONAL MATCH (hierarchy:Hierarchy {id: $hierarchy} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
FOREACH (found IN CASE WHEN hierarchy IS NULL THEN [] ELSE [hierarchy] END |
  CREATE (predictor)-[:TRAINED_ON {depth: $depth}]->(found))
RETURN predictor.id AS id
