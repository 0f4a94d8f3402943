// name: create_digest_constraint
// purpose: the key of a subtree's digest names one, and finds it
// access: schema
CREATE CONSTRAINT subtree_digest_key IF NOT EXISTS FOR (digest:SubtreeDigest) REQUIRE digest.key IS UNIQUE
