// name: write_encoder
// purpose: the encoder of a hierarchy whose node is locked, made where it is not there yet; its weights come in parts
// access: write
// parameter: id string
// parameter: properties map
// column: sha256 string
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
MERGE (hierarchy)-[:ENCODED_BY]->(encoder:Encoder)
  ON CREATE SET encoder = $properties
RETURN encoder.sha256 AS sha256
