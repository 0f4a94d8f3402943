// name: read_cells
// purpose: some cells by key, with the edge that leads to each (zeros for a root), as columns
// access: read
// parameter: keys list<string>
// parameter: id_size integer
// parameter: extras boolean
// column: addresses list<string>
// column: center list<list<float>>
// column: scale list<float>
// column: root_distance list<float>
// column: state list<integer>
// column: predicted list<boolean>
// column: residual list<list<float>>
// column: length list<float>
// column: radius list<float>
// column: size list<integer>
UNWIND $keys AS key
MATCH (cell:Cell {key: key})
OPTIONAL MATCH (cell)<-[edge:CHILD]-(:Cell)
WHERE edge.primary IS NULL
RETURN collect(substring(cell.key, $id_size)) AS addresses,
       collect(cell.center) AS center,
       collect(cell.scale) AS scale,
       collect(cell.root_distance) AS root_distance,
       collect(CASE WHEN cell:Frontier THEN 1 WHEN cell:Leaf THEN 2 ELSE 0 END) AS state,
       collect(coalesce(cell.predicted, false)) AS predicted,
       collect(coalesce(edge.residual, [])) AS residual,
       collect(coalesce(edge.length, 0.0 / 0.0)) AS length,
       collect(CASE WHEN $extras THEN coalesce(cell.radius, 0.0 / 0.0) END) AS radius,
       collect(CASE WHEN $extras THEN coalesce(cell.size, -1) END) AS size
