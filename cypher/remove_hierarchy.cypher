// name: remove_hierarchy
// purpose: remove the node of a hierarchy, which is locked, its encoder and its history; nothing else of it is left
// access: write
// parameter: id string
// column: removed integer
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
OPTIONAL MATCH (hierarchy)-[:ENCODED_BY]->(encoder:Encoder)
OPTIONAL MATCH (encoder)-[:PART]->(part:EncoderPart)
WITH hierarchy, collect(DISTINCT encoder) AS encoders, collect(DISTINCT part) AS parts
FOREACH (part IN parts | DETACH DELETE part)
FOREACH (encoder IN encoders | DETACH DELETE encoder)
WITH hierarchy
OPTIONAL MATCH (hierarchy)-[:HISTORY]->(entry:Entry)
WITH hierarchy, collect(entry) AS entries
FOREACH (entry IN entries | DETACH DELETE entry)
DETACH DELETE hierarchy RETURN count(*) AS removed
