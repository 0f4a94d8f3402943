// name: add_entry
// purpose: note in a hierarchy's history, by the server's clock, what is done to it in this transaction
// access: write
// parameter: id string
// parameter: kind string
// parameter: version string
// parameter: about string
// column: at integer
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
CREATE (hierarchy)-[:HISTORY]->(entry:Entry {hierarchy: $id, kind: $kind, at: timestamp(), version: $version, about: $about})
RETURN entry.at AS at
