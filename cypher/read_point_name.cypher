// name: read_point_name
// purpose: what a data point is called
// access: read
// parameter: key string
// column: name string or null
MATCH (point:Point {key: $key}) RETURN point.name AS name
