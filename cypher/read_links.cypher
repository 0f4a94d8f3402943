// name: read_links
// purpose: the edges from second parents to some cells, as columns
// access: read
// parameter: keys list<string>
// parameter: id_size integer
// column: parent list<string>
// column: child list<string>
// column: slot list<integer>
// column: residual list<list<float>>
// column: length list<float>
UNWIND $keys AS key
MATCH (parent:Cell)-[edge:CHILD {primary: false}]->(cell:Cell {key: key})
RETURN collect(substring(parent.key, $id_size)) AS parent, collect(substring(key, $id_size)) AS child, collect(edge.slot) AS slot,
       collect(edge.residual) AS residual, collect(edge.length) AS length
