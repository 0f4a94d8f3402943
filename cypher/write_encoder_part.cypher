// name: write_encoder_part
// purpose: one part of an encoder's weights, made where it is not there yet; the hierarchy's node is locked
// access: write
// parameter: id string
// parameter: number integer
// parameter: weights bytes
// column: number integer
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)-[:ENCODED_BY]->(encoder:Encoder)
MERGE (encoder)-[edge:PART {number: $number}]->(part:EncoderPart)
  ON CREATE SET part.weights = $weights
RETURN edge.number AS number
