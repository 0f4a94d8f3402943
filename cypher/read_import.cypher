// name: read_import
// purpose: a page of cells in key order with all their properties, every edge that leads to them and the first data in them, as columns
// access: read
// parameter: start string
// parameter: high string
// parameter: page integer
// parameter: names list<string>
// parameter: points boolean
// parameter: links boolean
// column: last string or null
// column: key list<string>
// column: address list<string>
// column: level list<integer>
// column: center list<list<float>>
// column: scale list<float>
// column: root_distance list<float>
// column: state list<integer>
// column: predicted list<boolean>
// column: radius list<float>
// column: size list<integer>
// column: edges list<list<[parent key, slot, residual, length, primary]>>
// column: above list<list<[second parent's key, level, center, scale, root_distance, residual, length]>>
// column: below list<list<[slot, length, radius, size, is frontier]>> of children whose primary parent is another
// column: own list<list<any>>
// column: points list<list<integer>>
MATCH (cell:Cell)
WHERE cell.key >= $start AND cell.key < $high
WITH cell ORDER BY cell.key LIMIT $page
RETURN max(cell.key) AS last,
       collect(cell.key) AS key,
       collect(cell.address) AS address,
       collect(cell.level) AS level,
       collect(cell.center) AS center,
       collect(cell.scale) AS scale,
       collect(cell.root_distance) AS root_distance,
       collect(CASE WHEN cell:Frontier THEN 1 WHEN cell:Leaf THEN 2 ELSE 0 END) AS state,
       collect(coalesce(cell.predicted, false)) AS predicted,
       collect(coalesce(cell.radius, 0.0 / 0.0)) AS radius,
       collect(coalesce(cell.size, -1)) AS size,
       collect([(parent:Cell)-[edge:CHILD]->(cell) | [parent.key, edge.slot, edge.residual, edge.length, edge.primary]]) AS edges,
       collect(CASE WHEN $links THEN [(parent:Cell)-[edge:CHILD {primary: false}]->(cell) |
               [parent.key, parent.level, parent.center, parent.scale, parent.root_distance, edge.residual, edge.length]]
               ELSE [] END) AS above,
       collect(CASE WHEN $links THEN [(cell)-[edge:CHILD {primary: false}]->(child:Cell) |
               [edge.slot, edge.length, child.radius, child.size, child:Frontier]] ELSE [] END) AS below,
       collect(CASE WHEN size($names) > 0 THEN [name IN $names | cell[name]] END) AS own,
       collect(CASE WHEN $points THEN [(point:Point)-[:IN]->(cell) WHERE point.batch IS NULL | point.row] END) AS points
