// name: read_path
// purpose: the cells that lead from the root to each of some cells, by key, with the edge above each
// access: read
// parameter: keys list<string>
// parameter: id_size integer
// column: address string
// column: center list<float>
// column: scale float
// column: root_distance float
// column: residual list<float> or null
// column: length float or null
// column: several_parents boolean
UNWIND $keys AS key
MATCH (cell:Cell {key: key})
OPTIONAL MATCH (cell)<-[edge:CHILD]-(:Cell)
WITH cell, collect(edge) AS edges
WITH cell, edges, [edge IN edges WHERE edge.primary IS NULL][0] AS edge
RETURN substring(cell.key, $id_size) AS address, cell.center AS center, cell.scale AS scale, cell.root_distance AS root_distance,
       edge.residual AS residual, edge.length AS length, size(edges) > 1 AS several_parents
