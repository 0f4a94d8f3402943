// name: read_box
// purpose: cells of one level below some cells whose centers lie in a box; what cannot reach it is left out on the way down
// access: read
// parameter: keys list<string>
// parameter: level integer
// parameter: id_size integer
// parameter: sides list<[axis, low, high]>
// parameter: spread float or null
// parameter: factors list<float> or null
// parameter: radii boolean
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
MATCH (:Cell {key: key})
      (()-[way:CHILD]->(below:Cell)
       WHERE way.primary IS NULL AND below.level <= $level
         AND all(reach IN [coalesce(CASE
                 WHEN $radii THEN below.radius * (1 + 1e-9)
                 WHEN $factors IS NULL THEN $spread * below.scale
                 ELSE reduce(bound = $spread * below.scale,
                             slot IN tail(split(substring(below.key, $id_size), '/')) | bound * $factors[toInteger(slot)])
               END, 1e300)] WHERE
               all(side IN $sides WHERE side[1] - reach <= below.center[side[0]] <= side[2] + reach)))+
      (cell:Cell)
WHERE cell.level = $level
  AND all(side IN $sides WHERE side[1] <= cell.center[side[0]] <= side[2])
WITH cell, last(way) AS edge
RETURN collect(substring(cell.key, $id_size)) AS addresses,
       collect(cell.center) AS center,
       collect(cell.scale) AS scale,
       collect(cell.root_distance) AS root_distance,
       collect(CASE WHEN cell:Frontier THEN 1 WHEN cell:Leaf THEN 2 ELSE 0 END) AS state,
       collect(coalesce(cell.predicted, false)) AS predicted,
       collect(edge.residual) AS residual,
       collect(coalesce(edge.length, 0.0 / 0.0)) AS length,
       collect(CASE WHEN $extras THEN coalesce(cell.radius, 0.0 / 0.0) END) AS radius,
       collect(CASE WHEN $extras THEN coalesce(cell.size, -1) END) AS size
