// name: read_subtree
// purpose: a page of cells in key order from `start` on, as columns
// access: read
// parameter: start string
// parameter: high string
// parameter: page integer
// parameter: id_size integer
// parameter: edges boolean
// parameter: extras boolean
// column: last string or null
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
MATCH (cell:Cell)
WHERE cell.key >= $start AND cell.key < $high
WITH cell ORDER BY cell.key LIMIT $page
OPTIONAL MATCH (cell)<-[edge:CHILD]-(:Cell)
WHERE $edges AND edge.primary IS NULL
RETURN max(cell.key) AS last,
       collect(substring(cell.key, $id_size)) AS addresses,
       collect(cell.center) AS center,
       collect(cell.scale) AS scale,
       collect(cell.root_distance) AS root_distance,
       collect(CASE WHEN cell:Frontier THEN 1 WHEN cell:Leaf THEN 2 ELSE 0 END) AS state,
       collect(coalesce(cell.predicted, false)) AS predicted,
       collect(CASE WHEN $edges THEN coalesce(edge.residual, []) END) AS residual,
       collect(CASE WHEN $edges THEN coalesce(edge.length, 0.0 / 0.0) END) AS length,
       collect(CASE WHEN $extras THEN coalesce(cell.radius, 0.0 / 0.0) END) AS radius,
       collect(CASE WHEN $extras THEN coalesce(cell.size, -1) END) AS size
