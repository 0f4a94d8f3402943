// name: count_frontiers
// purpose: how many frontier cells there are by level in each of some stretches of keys; stretches without one are left out
// access: read
// parameter: stretches list<[number, first key, key behind the last]>
// parameter: id_size integer or null: the length of the id, where the slots of all cells have one digit each
// column: number integer
// column: level integer
// column: cells integer
UNWIND $stretches AS stretch
MATCH (cell:Frontier)
WHERE cell.key >= stretch[1] AND cell.key < stretch[2]
RETURN stretch[0] AS number, coalesce((size(cell.key) - $id_size) / 2, cell.level) AS level, count(*) AS cells
