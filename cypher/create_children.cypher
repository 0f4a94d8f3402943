// name: create_children
// purpose: one level of a block: the children of many cells, grouped by parent, all with the same labels
// access: write
// parameter: id string
// parameter: level integer
// parameter: scale float
// parameter: predicted boolean or null
// parameter: labels list<string>
// parameter: rows list<[parent address, list<[slot, residual, length, center, root_distance, radius, size]>]>
// column: created integer
UNWIND $rows AS row
MATCH (parent:Cell {key: $id + row[0]})
WITH parent, row[1] AS children, CASE row[0] WHEN '/' THEN '/' ELSE row[0] + '/' END AS stem
UNWIND children AS child
CREATE (parent)-[:CHILD {slot: child[0], residual: child[1], length: child[2]}]->(cell:Cell:$($labels) {
  key: $id + stem + toString(child[0]), hierarchy: $id, address: stem + toString(child[0]), level: $level,
  center: child[3], scale: $scale, root_distance: child[4],
  predicted: $predicted, radius: child[5], size: child[6]
})
RETURN count(cell) AS created
