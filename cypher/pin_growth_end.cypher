// name: pin_growth_end
// purpose: pin the last block of a rollout that is limited by a number of cells
// access: write
// parameter: id string
// parameter: since integer
// parameter: last_block string or null
// column: last_block string or null
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)
      -[growth:GROWN_BY {done: false, since: $since}]->(:Predictor)
SET growth.last_block = coalesce(growth.last_block, $last_block)
RETURN growth.last_block AS last_block
