// name: search_property
// purpose: cells of which a property holds a text, or is a number between two
// access: read
// parameter: low string
// parameter: high string
// parameter: property string
// parameter: text string or null
// parameter: least float or null
// parameter: largest float or null
// parameter: most integer
// parameter: id_size integer
// column: address string
// column: name string or null
// column: value any
MATCH (cell:Cell)
WHERE cell.key >= $low AND cell.key < $high
WITH cell, cell[$property] AS value
WHERE CASE WHEN $text IS NULL THEN value >= $least AND value <= $largest
      ELSE toLower(toStringOrNull(value)) CONTAINS toLower($text) END
RETURN substring(cell.key, $id_size) AS address, cell.name AS name, value ORDER BY cell.key LIMIT $most
