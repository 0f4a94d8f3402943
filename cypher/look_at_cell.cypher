// name: look_at_cell
// purpose: one cell with all that it holds, every edge that leads to it, its first children, and the names of cells above it
// access: read
// parameter: key string
// parameter: above list<string>
// parameter: most integer
// column: cell map or null
// column: state integer
// column: parents list<[key, name, slot, length, primary]>
// column: children list<[key, name, slot, state]>
// column: child_count integer
// column: names list<[key, name]>
OPTIONAL MATCH (cell:Cell {key: $key})
CALL () {
  UNWIND $above AS key
  MATCH (ancestor:Cell {key: key})
  RETURN collect([key, ancestor.name]) AS names
}
RETURN properties(cell) AS cell,
       CASE WHEN cell:Frontier THEN 1 WHEN cell:Leaf THEN 2 ELSE 0 END AS state,
       [(parent:Cell)-[edge:CHILD]->(cell) | [parent.key, parent.name, edge.slot, edge.length, edge.primary IS NULL]] AS parents,
       COLLECT {
         MATCH (cell)-[edge:CHILD]->(child:Cell)
         RETURN [child.key, child.name, edge.slot, CASE WHEN child:Frontier THEN 1 WHEN child:Leaf THEN 2 ELSE 0 END]
         ORDER BY edge.slot LIMIT $most
       } AS children,
       COUNT { (cell)-[:CHILD]->(:Cell) } AS child_count,
       names
