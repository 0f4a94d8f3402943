// name: read_own_kinds
// purpose: the types of the values that cells hold in some properties of their source's
// access: read
// parameter: low string
// parameter: high string
// parameter: names list<string>
// column: name string
// column: kinds list<string>
MATCH (cell:Cell)
WHERE cell.key >= $low AND cell.key < $high
UNWIND $names AS name
WITH name, valueType(cell[name]) AS kind
RETURN name, collect(DISTINCT kind) AS kinds
