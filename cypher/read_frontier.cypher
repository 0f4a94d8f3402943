// name: read_frontier
// purpose: a page of the frontier from `start` on, in address order: cells of a level that is still to grow
// access: read
// parameter: start string
// parameter: high string
// parameter: depth integer
// parameter: page integer
// column: key string
// column: level integer
MATCH (cell:Frontier)
WHERE cell.key >= $start AND cell.key < $high AND cell.level < $depth
RETURN cell.key AS key, cell.level AS level ORDER BY cell.key LIMIT $page
