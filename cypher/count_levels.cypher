// name: count_levels
// purpose: how many cells each level has, how many of them a predictor put, and which may still grow
// access: read
// parameter: id string
// column: level integer
// column: cells integer
// column: predicted integer
// column: frontier integer
MATCH (cell:Cell)
WHERE cell.key >= $id + '/' AND cell.key < $id + '0'
RETURN cell.level AS level,
       count(*) AS cells,
       sum(CASE WHEN cell.predicted = true THEN 1 ELSE 0 END) AS predicted,
       sum(CASE WHEN cell:Frontier THEN 1 ELSE 0 END) AS frontier
ORDER BY level
