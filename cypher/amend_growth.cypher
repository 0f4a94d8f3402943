// name: amend_growth
// purpose: what else is asked of a growth, or is there of it by now: parts of the hierarchy, or all the rest; the hierarchy is locked
// access: write
// parameter: id string
// parameter: since integer
// parameter: from_depth integer
// parameter: below list<string> or null
// parameter: pending list<string> or null
// parameter: done boolean
// column: state string
MATCH (hierarchy:Hierarchy {id: $id} WHERE coalesce(hierarchy.recipe, hierarchy.incarnation) IS NOT NULL)-[growth:GROWN_BY {since: $since}]->(:Predictor)
SET growth.from_depth = $from_depth, growth.below = $below, growth.pending = $pending, growth.done = $done,
    growth.changes = coalesce(growth.changes, 0) + 1, hierarchy.state = CASE WHEN $done THEN 'complete' ELSE 'growing' END
RETURN hierarchy.state AS state
