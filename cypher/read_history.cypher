// name: read_history
// purpose: what is known of what was done to a hierarchy: its entries, what grew it, learned from it, copied it, was placed in it
// access: read
// parameter: id string
// parameter: low string
// parameter: high string
// column: entries list<map>
// column: growths list<map>
// column: predictors list<map>
// column: copies list<map>
// column: batches list<map>
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
RETURN COLLECT { MATCH (hierarchy)-[:HISTORY]->(entry:Entry) RETURN properties(entry) } AS entries,
       COLLECT { MATCH (hierarchy)-[growth:GROWN_BY]->(grower:Predictor) RETURN growth {.*, predictor: grower.id} } AS growths,
       COLLECT { MATCH (learned:Predictor)-[at:TRAINED_ON]->(hierarchy) RETURN learned {.id, .family, .created, .version, depth: at.depth} } AS predictors,
       COLLECT { MATCH (copy:Hierarchy)-[:PREDICTS]->(hierarchy) RETURN copy {.id, .created} } AS copies,
       COLLECT { MATCH (batch:Batch) WHERE batch.key >= $low AND batch.key < $high RETURN properties(batch) } AS batches
