// name: read_sound
// purpose: a page of a field's cells in key order with the edges that lead to them, as columns, for a check of all of them at once
// access: read
// parameter: id string
// parameter: start string
// parameter: high string
// parameter: page integer
// column: last string or null
// column: named integer rows that say which cell they are, and whose one parent is the cell that the key says
// column: others integer values that no edge and no cell of a field without data has
// column: addresses list<string>
// column: level list<integer>
// column: center list<list<float>>
// column: scale list<float>
// column: root_distance list<float>
// column: state list<integer>
// column: predicted list<boolean>
// column: children list<integer> how many edges lead to children
// column: slot list<integer>
// column: residual list<list<float>>
// column: length list<float>
MATCH (cell:Cell)
WHERE cell.key >= $start AND cell.key < $high
WITH cell ORDER BY cell.key LIMIT $page
OPTIONAL MATCH (parent)-[edge:CHILD]->(cell)
RETURN max(cell.key) AS last,
       sum(CASE
             WHEN coalesce(cell.hierarchy <> $id, true) THEN 0
             WHEN edge IS NULL AND cell.key = $id + '/' AND cell.address = '/' THEN 1
             WHEN parent:Cell AND parent.key IS :: STRING NOT NULL AND edge.slot IS :: INTEGER NOT NULL
               AND cell.address IS :: STRING NOT NULL
             THEN CASE WHEN cell.key = $id + cell.address
                         AND cell.key = parent.key + CASE parent.key WHEN $id + '/' THEN '' ELSE '/' END + edge.slot
                       THEN 1 ELSE 0 END
             ELSE 0
           END) AS named,
       count(cell.radius) + count(cell.size) + count(edge.primary) AS others,
       collect(cell.address) AS addresses,
       collect(cell.level) AS level,
       collect(cell.center) AS center,
       collect(cell.scale) AS scale,
       collect(cell.root_distance) AS root_distance,
       collect(CASE WHEN cell:Frontier THEN 1 ELSE 0 END + CASE WHEN cell:Leaf THEN 2 ELSE 0 END) AS state,
       collect(coalesce(cell.predicted, false)) AS predicted,
       collect(COUNT { (cell)-[:CHILD]->() }) AS children,
       collect(coalesce(edge.slot, -1)) AS slot,
       collect(coalesce(edge.residual, [])) AS residual,
       collect(coalesce(edge.length, 0.0 / 0.0)) AS length
