// name: remove_cells
// purpose: remove up to a batch of a hierarchy's cells
// access: write
// parameter: low string
// parameter: high string
// parameter: batch integer
// column: removed integer
MATCH (cell:Cell)
WHERE cell.key >= $low AND cell.key < $high
WITH cell LIMIT $batch
DETACH DELETE cell
RETURN count(*) AS removed
