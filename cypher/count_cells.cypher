// name: count_cells
// purpose: how many cells a hierarchy has, and how many of them may still grow
// access: read
// parameter: low string
// parameter: high string
// column: cells integer
// column: depth integer
// column: frontier integer
// column: leaves integer
// column: predicted integer
MATCH (cell:Cell)
WHERE cell.key >= $low AND cell.key < $high
RETURN count(cell) AS cells,
       coalesce(max(cell.level), 0) AS depth,
       sum(CASE WHEN cell:Frontier THEN 1 ELSE 0 END) AS frontier,
       sum(CASE WHEN cell:Leaf THEN 1 ELSE 0 END) AS leaves,
       sum(CASE WHEN cell.predicted = true THEN 1 ELSE 0 END) AS predicted
