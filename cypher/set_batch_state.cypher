// name: set_batch_state
// purpose: move a batch, whose record is locked, on to another state
// access: write
// parameter: key string
// parameter: state string
// column: state string
MATCH (batch:Batch {key: $key})
SET batch.state = $state
RETURN batch.state AS state
