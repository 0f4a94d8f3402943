// name: read_block
// purpose: the frontier cells of a block with the tuples of their parents, as a predictor needs them
// access: read
// parameter: key string
// parameter: high string
// parameter: depth integer
// parameter: id_size integer
// column: parent string or null
// column: cells list<[address, level, center, scale, root_distance, slot, length]>
// column: slots list<integer>
// column: tuple list<list<float>>
MATCH (cell:Frontier)
WHERE cell.key >= $key AND cell.key < $high AND cell.level < $depth
OPTIONAL MATCH (parent:Cell)-[own:CHILD]->(cell)
WHERE own.primary IS NULL
WITH parent, collect([substring(cell.key, $id_size), cell.level, cell.center, cell.scale, cell.root_distance,
                      coalesce(own.slot, -1), coalesce(own.length, 0.0)]) AS cells
OPTIONAL MATCH (parent)-[edge:CHILD]->(:Cell)
WHERE edge.primary IS NULL
RETURN substring(parent.key, $id_size) AS parent, cells, collect(edge.slot) AS slots, collect(edge.residual) AS tuple
