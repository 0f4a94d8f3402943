// name: measure_below
// purpose: how many cells there are in a range of keys, of which states, how deep and how far from the root; the first ones of many
// access: read
// parameter: low string
// parameter: high string
// parameter: most integer
// column: cells integer
// column: depth integer or null
// column: frontier integer
// column: leaves integer
// column: predicted integer
// column: farthest float or null
MATCH (cell:Cell)
WHERE cell.key >= $low AND cell.key < $high
WITH cell LIMIT $most
RETURN count(cell) AS cells, max(cell.level) AS depth, sum(CASE WHEN cell:Frontier THEN 1 ELSE 0 END) AS frontier,
       sum(CASE WHEN cell:Leaf THEN 1 ELSE 0 END) AS leaves,
       sum(CASE WHEN cell.predicted THEN 1 ELSE 0 END) AS predicted, max(cell.root_distance) AS farthest
