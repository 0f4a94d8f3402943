// name: write_schema_version
// purpose: record that this database has cfgraph's schema, and of which version
// access: write
// parameter: version integer
// column: version integer
MERGE (schema:Schema {name: 'cfgraph'})
ON CREATE SET schema.version = $version
RETURN schema.version AS version
