// name: mark_cells
// purpose: a property of some cells, set or (null) removed; and of which incarnation they are, and who is to set it just now
// access: write
// parameter: id string
// parameter: rows list<[address, map of the property's name to its value or null]>
// column: marked integer
// column: incarnation string or null
// column: state string or null
// column: token string or null, of whoever began to set a property last
UNWIND $rows AS row
MATCH (cell:Cell {key: $id + row[0]})
SET cell += row[1]
WITH count(cell) AS marked
// Without a lock: the cells are locked by now, and whoever begins after this sets all of them again.
OPTIONAL MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
RETURN marked, hierarchy.incarnation AS incarnation, hierarchy.state AS state, hierarchy.marked AS token
