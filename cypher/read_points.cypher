// name: read_points
// purpose: a page of a hierarchy's first data points in key order, with the cell that each lies in
// access: read
// parameter: start string
// parameter: high string
// parameter: page integer
// parameter: id_size integer
// parameter: names list<string>
// column: last string or null
// column: row list<integer>
// column: address list<string>
// column: name list<string>, empty where a point has none
// column: own list<list<any>>, what a source knows of a point besides
MATCH (point:Point)
WHERE point.key >= $start AND point.key < $high
WITH point ORDER BY point.key LIMIT $page
MATCH (point)-[:IN]->(cell:Cell)
RETURN max(point.key) AS last, collect(point.row) AS row, collect(substring(cell.key, $id_size)) AS address,
       collect(coalesce(point.name, '')) AS name, collect([name IN $names | point[name]]) AS own
