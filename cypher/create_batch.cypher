// name: create_batch
// purpose: record a batch that is to be placed in a hierarchy, whose node is locked
// access: write
// parameter: id string
// parameter: properties map
// column: key string
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
CREATE (hierarchy)-[:PLACED]->(batch:Batch)
SET batch = $properties
RETURN batch.key AS key
