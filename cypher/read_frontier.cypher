// name: read_frontier
// purpose: a page of the frontier from `start` on, in address order: cells of a level that is still to grow
// access: read
// parameter: start string
// parameter: high string
// parameter: depth integer
// parameter: page integer
// column: keys list<string>
// column: levels list<integer>
MATCH (cell:Frontier)
WHERE cell.key >= $start AND cell.key < $high AND cell.level < $depth
WITH cell.key AS key, cell.level AS level ORDER BY key LIMIT $page
RETURN collect(key) AS keys, collect(level) AS levels
