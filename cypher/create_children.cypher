// name: create_children
// purpose: one level of a block: the children of many cells, grouped by parent, all with the same labels; and of which incarnation
// access: write
// parameter: id string
// parameter: level integer
// parameter: scale float
// parameter: predicted boolean or null
// parameter: labels list<string>
// parameter: rows list<[parent address, list<[slot, residual, length, center, root_distance, radius, size]>]>
// column: created integer
// column: incarnation string or null
// column: state string or null
UNWIND $rows AS row
MATCH (parent:Cell {key: $id + row[0]})
WITH parent, row[1] AS children, CASE row[0] WHEN '/' THEN '/' ELSE row[0] + '/' END AS stem
UNWIND children AS child
CREATE (parent)-[:CHILD {slot: child[0], residual: child[1], length: child[2]}]->(cell:Cell:$($labels) {
  key: $id + stem + toString(child[0]), hierarchy: $id, address: stem + toString(child[0]), level: $level,
  center: child[3], scale: $scale, root_distance: child[4],
  predicted: $predicted, radius: child[5], size: child[6]
})
WITH count(cell) AS created
// Without a lock: the block's own cells are locked by now, and the node is there before any cell and after the last one.
OPTIONAL MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
RETURN created, hierarchy.incarnation AS incarnation, hierarchy.state AS state
