// name: link_truth
// purpose: remember which hierarchy a copy predicts
// access: write
// parameter: id string
// parameter: truth string
MATCH (copy:Hierarchy {id: $id}), (truth:Hierarchy {id: $truth})
MERGE (copy)-[:PREDICTS]->(truth)
