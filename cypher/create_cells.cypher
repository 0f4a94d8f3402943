// name: create_cells
// purpose: one level of a block: children with scales and properties of their own, predicted among these; of which incarnation
// access: write
// parameter: id string
// parameter: level integer
// parameter: labels list<string>
// parameter: rows list<[parent address, list<[slot, residual, length or null, center, root_distance, radius, size, scale, map]>]>
// column: created integer
// column: incarnation string or null
// column: state string or null
UNWIND $rows AS row
MATCH (parent:Cell {key: $id + row[0]})
WITH parent, row[1] AS children, CASE row[0] WHEN '/' THEN '/' ELSE row[0] + '/' END AS stem
UNWIND children AS child
CREATE (parent)-[:CHILD {slot: child[0], residual: child[1], length: child[2]}]->(cell:Cell:$($labels))
SET cell = child[8],
    cell.key = $id + stem + toString(child[0]), cell.hierarchy = $id, cell.address = stem + toString(child[0]),
    cell.level = $level, cell.center = child[3], cell.root_distance = child[4], cell.radius = child[5], cell.size = child[6],
    cell.scale = child[7]
WITH count(cell) AS created
// Without a lock: the block's own cells are locked by now, and the node is there before any cell and after the last one.
OPTIONAL MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
RETURN created, hierarchy.incarnation AS incarnation, hierarchy.state AS state
