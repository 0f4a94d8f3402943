// name: read_batch_points
// purpose: a page of a batch's points in key order, with the cell that each lies in
// access: read
// parameter: start string
// parameter: high string
// parameter: page integer
// parameter: id_size integer
// column: last string or null
// column: row list<integer>
// column: address list<string>
// column: name list<string>, empty where a point has none
// column: distance list<float>
// column: margin list<float>, not a number where its cell has no siblings
// column: outside list<boolean>
MATCH (point:Point)
WHERE point.key >= $start AND point.key < $high
WITH point ORDER BY point.key LIMIT $page
MATCH (point)-[:IN]->(cell:Cell)
RETURN max(point.key) AS last, collect(point.row) AS row, collect(substring(cell.key, $id_size)) AS address,
       collect(coalesce(point.name, '')) AS name, collect(point.distance) AS distance,
       collect(coalesce(point.margin, 0.0 / 0.0)) AS margin, collect(point.outside) AS outside
