// name: read_stray_batch_points
// purpose: of a page of a batch's points in key order those that do not lie in exactly one cell, or are not what their key says
// access: read
// parameter: id string
// parameter: batch string
// parameter: low string
// parameter: start string
// parameter: high string
// parameter: page integer
// parameter: rows integer
// column: last string or null
// column: points integer
// column: strays list<[key, cells]>
MATCH (point:Point)
WHERE point.key >= $start AND point.key < $high
WITH point ORDER BY point.key LIMIT $page
WITH point, COUNT { (point)-[:IN]->(cell:Cell) WHERE cell.key >= $id + '/' AND cell.key < $id + '0' } AS cells,
     COUNT { (point)-[:IN]->() } AS all
WITH point, cells, cells = 1 AND all = 1 AND coalesce(point.hierarchy = $id AND point.batch = $batch, false)
       AND valueType(point.row) STARTS WITH 'INTEGER'
       AND coalesce(point.row >= 0 AND point.row < $rows AND point.key = $low + point.row, false)
       AND valueType(point.distance) STARTS WITH 'FLOAT' AND coalesce(point.distance >= 0, false)
       AND valueType(point.outside) STARTS WITH 'BOOLEAN' AS sound
RETURN max(point.key) AS last, count(point) AS points, collect(CASE WHEN NOT sound THEN [point.key, cells] END)[..1000] AS strays
