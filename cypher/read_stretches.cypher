// name: read_stretches
// purpose: a page of cells, in key order, of some stretches of keys, with what a diff compares, as columns
// access: read
// parameter: stretches list<[first key, key behind the last]>
// parameter: page integer
// parameter: names list<string>
// parameter: points boolean
// column: last string or null
// column: key list<string>
// column: center list<list<float>>
// column: scale list<float>
// column: state list<integer>
// column: predicted list<boolean>
// column: edges list<list<[parent key, slot, residual, length, primary]>>
// column: own list<list<any>>
// column: points list<list<integer>> of the first data: rows of batches that were placed later are left out
UNWIND $stretches AS stretch
CALL (stretch) {
  MATCH (found:Cell)
  WHERE found.key >= stretch[0] AND found.key < stretch[1]
  RETURN found ORDER BY found.key
}
WITH found AS cell LIMIT $page
RETURN max(cell.key) AS last,
       collect(cell.key) AS key,
       collect(cell.center) AS center,
       collect(cell.scale) AS scale,
       collect(CASE WHEN cell:Frontier THEN 1 WHEN cell:Leaf THEN 2 ELSE 0 END) AS state,
       collect(coalesce(cell.predicted, false)) AS predicted,
       collect([(parent:Cell)-[edge:CHILD]->(cell) | [parent.key, edge.slot, edge.residual, edge.length, edge.primary]]) AS edges,
       collect(CASE WHEN size($names) > 0 THEN [name IN $names | cell[name]] END) AS own,
       collect(CASE WHEN $points THEN [(point:Point WHERE point.batch IS NULL)-[:IN]->(cell) | point.row] END) AS points
