// name: create_batch_constraint
// purpose: a batch's key names one batch of one hierarchy, and finds it
// access: schema
CREATE CONSTRAINT batch_key IF NOT EXISTS FOR (batch:Batch) REQUIRE batch.key IS UNIQUE
