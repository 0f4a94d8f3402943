// name: count_nodes
// purpose: how many nodes the database holds, whosever they are, besides the one that records cfgraph's schema
// access: read
// column: nodes integer
MATCH (node)
WITH count(node) AS nodes
OPTIONAL MATCH (schema:Schema {name: 'cfgraph'})
WITH nodes, count(schema) AS own
RETURN nodes - own AS nodes
