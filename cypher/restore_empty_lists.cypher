// name: restore_empty_lists
// purpose: give a hierarchy of dimension 0 the empty centers and residuals that files for neo4j-admin cannot hold
// access: write
// parameter: id string
MATCH (hierarchy:Hierarchy {id: $id, dimension: 0} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
MATCH (cell:Cell)
WHERE cell.key >= $id + '/' AND cell.key < $id + '0' AND cell.center IS NULL
CALL (cell) {
  SET cell.center = []
  WITH cell
  MATCH (:Cell)-[edge:CHILD]->(cell)
  SET edge.residual = []
} IN TRANSACTIONS OF 10000 ROWS
