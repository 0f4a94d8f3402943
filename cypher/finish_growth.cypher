// name: finish_growth
// purpose: a rollout has reached its stop
// access: write
// parameter: id string
// column: state string
MATCH (hierarchy:Hierarchy {id: $id})-[growth:GROWN_BY {done: false}]->(:Predictor)
SET growth.done = true, hierarchy.state = 'complete'
RETURN hierarchy.state AS state
