// name: remove_points
// purpose: remove up to a batch of a hierarchy's data points
// access: write
// parameter: low string
// parameter: high string
// parameter: batch integer
// column: removed integer
MATCH (point:Point)
WHERE point.key >= $low AND point.key < $high
WITH point LIMIT $batch
DETACH DELETE point
RETURN count(*) AS removed
