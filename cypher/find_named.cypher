// name: find_named
// purpose: the cells of a hierarchy that have some names
// access: read
// parameter: low string
// parameter: high string
// parameter: names list<string>
// parameter: id_size integer
// column: name string
// column: address string
MATCH (cell:Cell)
WHERE cell.key >= $low AND cell.key < $high AND cell.name IN $names
RETURN cell.name AS name, substring(cell.key, $id_size) AS address ORDER BY address
