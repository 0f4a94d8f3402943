// name: read_schema_version
// purpose: the version of cfgraph's schema in this database; no row where there is none
// access: read
// column: version integer
MATCH (schema:Schema {name: 'cfgraph'}) RETURN schema.version AS version
