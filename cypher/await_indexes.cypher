// name: await_indexes
// purpose: wait until every index is built; at once where there is nothing to build
// access: schema
CALL db.awaitIndexes(86400)
