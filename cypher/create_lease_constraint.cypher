// name: create_lease_constraint
// purpose: one lease a block
// access: schema
CREATE CONSTRAINT lease_key IF NOT EXISTS FOR (lease:Lease) REQUIRE lease.key IS UNIQUE
