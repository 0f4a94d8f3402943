// name: read_encoder
// purpose: the encoder of a hierarchy, without its weights, and which parts of these there are; no row where it has none
// access: read
// parameter: id string
// column: encoder map
// column: parts list<integer>
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)-[:ENCODED_BY]->(encoder:Encoder)
RETURN properties(encoder) AS encoder, [(encoder)-[part:PART]->(:EncoderPart) | part.number] AS parts
