// name: create_schema_constraint
// purpose: one schema node, which holds the version and is the lock under which ids are given out
// access: schema
CREATE CONSTRAINT schema_name IF NOT EXISTS FOR (schema:Schema) REQUIRE schema.name IS UNIQUE
