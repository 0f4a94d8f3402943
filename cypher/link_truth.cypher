// name: link_truth
// purpose: remember which hierarchy a copy predicts
// access: write
// parameter: id string
// parameter: truth string
MATCH (copy:Hierarchy {id: $id} WHERE coalesce(copy.recipe, copy.incarnation) IS NOT NULL),
      (truth:Hierarchy {id: $truth} WHERE coalesce(truth.recipe, truth.incarnation) IS NOT NULL)
MERGE (copy)-[:PREDICTS]->(truth)
