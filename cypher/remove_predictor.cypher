// name: remove_predictor
// purpose: forget a predictor; hierarchies that it grew keep their cells
// access: write
// parameter: id string
// column: removed integer
MATCH (predictor:Predictor {id: $id}) DETACH DELETE predictor RETURN count(*) AS removed
