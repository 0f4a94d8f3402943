// name: search_names
// purpose: cells whose names hold a text, in small letters or large ones; the likeliest first
// access: read
// parameter: low string
// parameter: high string
// parameter: text string
// parameter: most integer
// parameter: id_size integer
// column: address string
// column: name string
MATCH (cell:Cell)
WHERE cell.key >= $low AND cell.key < $high AND toLower(toStringOrNull(cell.name)) CONTAINS toLower($text)
RETURN substring(cell.key, $id_size) AS address, cell.name AS name
ORDER BY toLower(name) <> toLower($text), NOT toLower(name) STARTS WITH toLower($text), size(name), cell.key LIMIT $most
