// name: read_strays
// purpose: cells that say they are a hierarchy's but whose key lies outside its range or is missing
// access: read
// parameter: id string
// parameter: low string
// parameter: high string
// column: address string or null
// column: key string or null
MATCH (cell:Cell)
WHERE cell.hierarchy = $id AND NOT coalesce(cell.key >= $low AND cell.key < $high, false)
RETURN cell.address AS address, cell.key AS key LIMIT 1000
