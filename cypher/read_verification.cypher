// name: read_verification
// purpose: a page of cells in key order with everything that an invariant speaks of
// access: read
// parameter: start string
// parameter: high string
// parameter: page integer
// parameter: names list<string>
// column: cells list<[key, hierarchy, address, level, center, scale, root_distance, radius, size, predicted, frontier, leaf, own]>
// column: parents list<list<[key, is_cell, level, center, scale, root_distance, predicted, slot, residual, length, primary]>>
// column: children list<list<[key, is_cell, slot, length, radius, size, primary, frontier]>>
MATCH (cell:Cell)
WHERE cell.key >= $start AND cell.key < $high
WITH cell ORDER BY cell.key LIMIT $page
RETURN collect([cell.key, cell.hierarchy, cell.address, cell.level, cell.center, cell.scale, cell.root_distance,
                cell.radius, cell.size, cell.predicted, cell:Frontier, cell:Leaf, [name IN $names | cell[name]]]) AS cells,
       collect([(parent)-[edge:CHILD]->(cell) |
                [parent.key, parent:Cell, parent.level, parent.center, parent.scale, parent.root_distance, parent.predicted,
                 edge.slot, edge.residual, edge.length, edge.primary]]) AS parents,
       collect([(cell)-[edge:CHILD]->(child) |
                [child.key, child:Cell, edge.slot, edge.length, child.radius, child.size, edge.primary, child:Frontier]]) AS children
