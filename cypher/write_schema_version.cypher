// name: write_schema_version
// purpose: record that this database has cfgraph's schema, and of which version, where it had none or an older one
// access: write
// parameter: version integer
// column: version integer
MERGE (schema:Schema {name: 'cfgraph'})
SET schema.version = CASE WHEN schema.version IS NULL OR schema.version < $version THEN $version ELSE schema.version END
RETURN schema.version AS version
