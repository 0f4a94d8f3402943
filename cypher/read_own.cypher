// name: read_own
// purpose: the properties that a source gave cells of its own accord, in the order of the keys
// access: read
// parameter: keys list<string>
// parameter: names list<string>
// column: values list<list<any>>
UNWIND range(0, size($keys) - 1) AS place
MATCH (cell:Cell {key: $keys[place]})
WITH place, [name IN $names | cell[name]] AS found ORDER BY place
RETURN collect(found) AS values
