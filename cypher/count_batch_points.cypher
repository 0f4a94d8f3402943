// name: count_batch_points
// purpose: how many points of batches a hierarchy has, whether their batches are recorded or not
// access: read
// parameter: low string
// parameter: high string
// column: points integer
MATCH (point:Point)
WHERE point.key >= $low AND point.key < $high
RETURN count(point) AS points
