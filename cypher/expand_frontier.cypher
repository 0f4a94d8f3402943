// name: expand_frontier
// purpose: the cells that a block expands stop being frontier; fewer than asked for means that somebody wrote the block already
// access: write
// parameter: keys list<string>
// column: expanded integer
UNWIND $keys AS key
MATCH (cell:Frontier {key: key})
REMOVE cell:Frontier
RETURN count(cell) AS expanded
