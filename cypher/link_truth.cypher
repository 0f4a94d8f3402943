// name: link_truth
// purpose: remember which hierarchy a copy predicts
// access: write
// parameter: id string
// parameter: truth string
MATCH (copy:Hierarchy {id: $id} WHERE copy.recipe IS NOT NULL),
      (truth:Hierarchy {id: $truth} WHERE truth.recipe IS NOT NULL)
MERGE (copy)-[:PREDICTS]->(truth)
