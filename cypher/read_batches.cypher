// name: read_batches
// purpose: what is recorded of each batch that was placed in a hierarchy, the earliest first, and whether it is tied to the hierarchy
// access: read
// parameter: id string
// parameter: low string
// parameter: high string
// column: batch map
// column: tied boolean
MATCH (batch:Batch)
WHERE batch.key >= $low AND batch.key < $high
RETURN properties(batch) AS batch, EXISTS { (batch)<-[:PLACED]-(:Hierarchy {id: $id}) } AS tied ORDER BY batch.created, batch.key
