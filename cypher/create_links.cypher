// name: create_links
// purpose: edges from second parents; those that are there already are left as they are
// access: write
// parameter: rows list<[parent key, child key, slot, residual, length]>
// column: linked integer
UNWIND $rows AS row
MATCH (parent:Cell {key: row[0]})
MATCH (child:Cell {key: row[1]})
MERGE (parent)-[edge:CHILD {primary: false, slot: row[2]}]->(child)
ON CREATE SET edge.residual = row[3], edge.length = row[4]
RETURN count(edge) AS linked
