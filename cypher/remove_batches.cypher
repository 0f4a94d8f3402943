// name: remove_batches
// purpose: remove the records of batches whose points are gone
// access: write
// parameter: low string
// parameter: high string
// column: removed integer
MATCH (batch:Batch)
WHERE batch.key >= $low AND batch.key < $high
DETACH DELETE batch
RETURN count(*) AS removed
