// name: read_frontier_keys
// purpose: which of some cells are still frontier
// access: read
// parameter: keys list<string>
// column: key string
UNWIND $keys AS key MATCH (cell:Frontier {key: key}) RETURN cell.key AS key
