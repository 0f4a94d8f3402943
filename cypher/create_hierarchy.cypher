// name: create_hierarchy
// purpose: a new hierarchy with its root, which is a frontier cell until its block is written
// access: write
// parameter: id string
// parameter: properties map
// parameter: center list<float>
// parameter: scale float
// parameter: radius float or null
// parameter: size integer or null
// parameter: label string
// parameter: own map
CREATE (hierarchy:Hierarchy)
SET hierarchy = $properties
CREATE (hierarchy)-[:ROOT]->(root:Cell:$($label) {
  key: $id + '/', hierarchy: $id, address: '/', level: 0,
  center: $center, scale: $scale, root_distance: 0.0, radius: $radius, size: $size
})
SET root += $own
