// name: end_query
// purpose: end people's own Cypher that was sent with a token and runs still: whoever asked has gone
// access: read
// parameter: token string
// column: ended integer
SHOW TRANSACTIONS
YIELD transactionId AS id, metaData
WHERE metaData.cfgraph = $token
TERMINATE TRANSACTIONS id
YIELD transactionId
RETURN count(transactionId) AS ended
