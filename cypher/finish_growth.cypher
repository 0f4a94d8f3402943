// name: finish_growth
// purpose: a rollout has reached its stop; leases that are left (where time was the stop, or a worker died) end
// access: write
// parameter: id string
// column: state string
MATCH (hierarchy:Hierarchy {id: $id})-[growth:GROWN_BY {done: false}]->(:Predictor)
SET growth.done = true, hierarchy.state = 'complete'
WITH hierarchy
OPTIONAL MATCH (lease:Lease {hierarchy: $id})
DELETE lease
RETURN DISTINCT hierarchy.state AS state
