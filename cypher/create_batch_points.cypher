// name: create_batch_points
// purpose: the next points of a batch, whose record is locked, each in its cell, and how many of its rows are placed by then
// access: write
// parameter: id string
// parameter: key string
// parameter: done integer
// parameter: rows list<[row, address of its cell, name or null, distance, margin or null, whether it lies outside]>
// column: placed integer
MATCH (batch:Batch {key: $key})
UNWIND $rows AS row
MATCH (cell:Cell {key: $id + row[1]})
CREATE (point:Point {key: $key + '/' + toString(row[0]), hierarchy: $id, batch: batch.name, row: row[0], name: row[2],
                     distance: row[3], margin: row[4], outside: row[5]})-[:IN]->(cell)
WITH batch, count(point) AS placed
SET batch.done = $done, batch.state = CASE WHEN $done = batch.rows THEN 'placed' ELSE batch.state END
RETURN placed
