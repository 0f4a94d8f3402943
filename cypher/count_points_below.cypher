// name: count_points_below
// purpose: how many data points lie in a range of cells, those of batches too; of very many the first ones
// access: read
// parameter: low string
// parameter: high string
// parameter: most integer
// column: points integer
MATCH (cell:Cell)
WHERE cell.key >= $low AND cell.key < $high
MATCH (point:Point)-[:IN]->(cell)
WITH point LIMIT $most
RETURN count(point) AS points
