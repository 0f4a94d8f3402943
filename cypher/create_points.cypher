// name: create_points
// purpose: data points as nodes, each in the cell that it lies in; those that are there already are left as they are
// access: write
// parameter: id string
// parameter: rows list<[row of the point, address of its cell, name or null, map of what its source knows of it besides]>
// column: placed integer
UNWIND $rows AS row
MATCH (cell:Cell {key: $id + row[1]})
MERGE (point:Point {key: $id + '/' + toString(row[0])})
ON CREATE SET point += row[3], point.hierarchy = $id, point.row = row[0], point.name = row[2]
MERGE (point)-[:IN]->(cell)
RETURN count(point) AS placed
