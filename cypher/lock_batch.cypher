// name: lock_batch
// purpose: take the lock of a batch's record, then say what it holds
// access: write
// parameter: key string
// column: batch map
MATCH (batch:Batch {key: $key})
// A property is written to take the lock; only then is looked what the node holds.
SET batch.locked = true
REMOVE batch.locked
RETURN properties(batch) AS batch
