// name: read_astray
// purpose: the predicted cells of a copy that lie farthest from their true places, with how many data points are there
// access: read
// parameter: id string
// parameter: most integer
// column: address string
// column: points integer or null
// column: gap float
MATCH (grown:Hierarchy {id: $id} WHERE coalesce(grown.recipe, grown.incarnation) IS NOT NULL)-[:PREDICTS]->(truth:Hierarchy)
MATCH (cell:Cell)
WHERE cell.key >= grown.id + '/' AND cell.key < grown.id + '0' AND cell.predicted
MATCH (place:Cell {key: truth.id + cell.address})
RETURN cell.address AS address,
       place.size AS points,
       sqrt(reduce(sum = 0.0, axis IN range(0, size(cell.center) - 1) | sum + (cell.center[axis] - place.center[axis]) ^ 2)) AS gap
ORDER BY gap DESC, address LIMIT $most
