// name: read_names
// purpose: what some cells are called; those that have no name, or are not there, are left out
// access: read
// parameter: keys list<string>
// column: key string
// column: name string
UNWIND $keys AS key
MATCH (cell:Cell {key: key} WHERE cell.name IS NOT NULL)
RETURN key, cell.name AS name
