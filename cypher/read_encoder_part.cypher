// name: read_encoder_part
// purpose: one part of the weights of a hierarchy's encoder
// access: read
// parameter: id string
// parameter: number integer
// column: weights bytes
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
      -[:ENCODED_BY]->(:Encoder)-[:PART {number: $number}]->(part:EncoderPart)
RETURN part.weights AS weights
