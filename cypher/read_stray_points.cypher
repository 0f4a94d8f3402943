// name: read_stray_points
// purpose: first data points that do not lie in exactly one cell of their hierarchy, or are not what their key says; no points of batches
// access: read
// parameter: id string
// parameter: low string
// parameter: high string
// parameter: points integer
// column: key string
// column: cells integer
CALL () {
  MATCH (point:Point)
  WHERE point.key >= $low AND point.key < $high AND NOT point.key STARTS WITH $low + '@'
  RETURN point
  UNION
  MATCH (cell:Cell)<-[:IN]-(point:Point)
  WHERE cell.key >= $low AND cell.key < $high AND NOT coalesce(point.key STARTS WITH $low + '@', false)
  RETURN point
}
WITH point, COUNT { (point)-[:IN]->(cell:Cell) WHERE cell.key >= $low AND cell.key < $high } AS cells, COUNT { (point)-[:IN]->() } AS all
WHERE cells <> 1 OR all <> 1 OR coalesce(point.hierarchy <> $id, true) OR NOT valueType(point.row) STARTS WITH 'INTEGER'
  OR NOT coalesce(point.row >= 0 AND point.row < $points AND point.key = $low + point.row, false)
RETURN point.key AS key, cells ORDER BY key LIMIT 1000
