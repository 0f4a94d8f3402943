// name: read_children_in_box
// purpose: the children of some cells whose centers lie in a box, as columns; and what their hierarchy is behind that
// access: read
// parameter: id string
// parameter: keys list<string>
// parameter: id_size integer
// parameter: sides list<[axis, low, high]>
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
// column: hierarchy map or null
// column: growths list<map>
UNWIND $keys AS key
MATCH (:Cell {key: key})-[edge:CHILD]->(cell:Cell)
WHERE edge.primary IS NULL AND all(side IN $sides WHERE side[1] <= cell.center[side[0]] <= side[2])
WITH collect(substring(cell.key, $id_size)) AS addresses,
     collect(cell.center) AS center,
     collect(cell.scale) AS scale,
     collect(cell.root_distance) AS root_distance,
     collect(CASE WHEN cell:Frontier THEN 1 WHEN cell:Leaf THEN 2 ELSE 0 END) AS state,
     collect(coalesce(cell.predicted, false)) AS predicted,
     collect(edge.residual) AS residual,
     collect(coalesce(edge.length, 0.0 / 0.0)) AS length,
     collect(CASE WHEN $extras THEN coalesce(cell.radius, 0.0 / 0.0) END) AS radius,
     collect(CASE WHEN $extras THEN coalesce(cell.size, -1) END) AS size
// Looked at behind the cells: what is there now was there all the time, for each incarnation is there once.
OPTIONAL MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
RETURN addresses, center, scale, root_distance, state, predicted, residual, length, radius, size,
       properties(hierarchy) AS hierarchy,
       [(hierarchy)-[growth:GROWN_BY]->(:Predictor) | growth {.since, .from_depth, .done, .changes}] AS growths
