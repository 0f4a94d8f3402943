// name: count_stretches
// purpose: how many cells there are in some stretches of keys together
// access: read
// parameter: stretches list<[first key, key behind the last]>
// column: cells integer
UNWIND $stretches AS stretch
MATCH (cell:Cell)
WHERE cell.key >= stretch[0] AND cell.key < stretch[1]
RETURN count(*) AS cells
