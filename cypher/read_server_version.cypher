// name: read_server_version
// purpose: which Neo4j this is
// access: read
// column: name string
// column: version string
// column: edition string
CALL dbms.components() YIELD name, versions, edition WHERE name = 'Neo4j Kernel' RETURN name, versions[0] AS version, edition
