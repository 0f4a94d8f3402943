// name: create_frontier_index
// purpose: the cells that are not expanded yet, in address order
// access: schema
CREATE INDEX frontier_key IF NOT EXISTS FOR (cell:Frontier) ON (cell.key)
