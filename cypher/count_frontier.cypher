// name: count_frontier
// purpose: the frontier cells of a hierarchy by level
// access: read
// parameter: low string
// parameter: high string
// column: level integer
// column: cells integer
MATCH (cell:Frontier)
WHERE cell.key >= $low AND cell.key < $high
RETURN cell.level AS level, count(cell) AS cells ORDER BY level
