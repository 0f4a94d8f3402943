// name: count_sizes
// purpose: how many cells some hierarchies have, counted in the index alone, and how many data points their roots hold
// access: read
// parameter: ids list<string>
// column: id string
// column: cells integer
// column: points integer or null
UNWIND $ids AS id
OPTIONAL MATCH (root:Cell {key: id + '/'})
RETURN id,
       COUNT { MATCH (cell:Cell) WHERE cell.key >= id + '/' AND cell.key < id + '0' } AS cells,
       root.size AS points
