// name: read_points_below
// purpose: some data points that lie in a range of cells, those of batches too, in the order of the cells
// access: read
// parameter: low string
// parameter: high string
// parameter: start integer
// parameter: most integer
// parameter: id_size integer
// column: row integer
// column: name string or null
// column: label integer or null
// column: batch string or null
// column: address string
MATCH (cell:Cell)
WHERE cell.key >= $low AND cell.key < $high
MATCH (point:Point)-[:IN]->(cell)
RETURN point.row AS row, point.name AS name, point.label AS label, point.batch AS batch,
       substring(cell.key, $id_size) AS address
ORDER BY cell.key, point.key SKIP $start LIMIT $most
