"""Examples: Cypher that the explorer's box begins with; a test holds it against docs/cypher.md, which explains each."""

# Title and statement; $id is the hierarchy that is shown.
QUERIES: tuple[tuple[str, str], ...] = (
    (
        "One cell, by its address",
        """
MATCH (c:Cell {key: $id + '/0/1'}) RETURN c.level, c.center, c.scale
""",
    ),
    (
        "The first levels, from the root down",
        """
MATCH (:Hierarchy {id: $id})-[:ROOT]->(root)
MATCH (root) (()-[:CHILD]->(n WHERE n.level <= 2))* (c)
RETURN c.address, c.level, c.center ORDER BY c.level, c.address
""",
    ),
    (
        "How many cells each level has, and where the frontier is",
        """
MATCH (c:Cell) WHERE c.key >= $id + '/' AND c.key < $id + '0'
RETURN c.level AS level, count(*) AS cells, sum(CASE WHEN c:Frontier THEN 1 ELSE 0 END) AS frontier,
       sum(CASE WHEN c:Leaf THEN 1 ELSE 0 END) AS leaves
ORDER BY level
""",
    ),
    (
        "The way from the root to a cell",
        """
MATCH (c:Cell {key: $id + '/0/1'})
WITH [i IN range(0, c.level) | CASE i WHEN 0 THEN '/' ELSE reduce(a = '', s IN split(c.address, '/')[1..i + 1] | a + '/' + s) END] AS way
UNWIND way AS address
MATCH (step:Cell {key: $id + address})
RETURN step.address, step.center, step.root_distance
""",  # noqa: E501 - as the document has it
    ),
    (
        "The subtree of a cell, as a range of keys",
        """
MATCH (c:Cell) WHERE c.key >= $id + '/0/' AND c.key < $id + '/00'
RETURN count(*) AS descendants, max(c.level) AS deepest
""",
    ),
    (
        "Path metric between two cells",
        """
MATCH (u:Cell {key: $id + '/0/1'}), (v:Cell {key: $id + '/0/0'}), (lca:Cell {key: $id + '/0'})
RETURN u.root_distance + v.root_distance - 2 * lca.root_distance AS distance
""",
    ),
    (
        "The rule, checked by hand: center(child) = center(parent) + scale(parent) * residual",
        """
MATCH (p:Cell {key: $id + '/0'})-[e:CHILD]->(c:Cell)
RETURN e.slot, c.center, [i IN range(0, size(p.center) - 1) | p.center[i] + p.scale * e.residual[i]] AS from_the_parent
ORDER BY e.slot
""",
    ),
    (
        "The longest edges",
        """
MATCH (p:Cell)-[e:CHILD]->(c:Cell) USING INDEX SEEK c:Cell(key) WHERE c.key >= $id + '/' AND c.key < $id + '0'
RETURN c.address, e.length ORDER BY e.length DESC LIMIT 10
""",
    ),
    (
        "The cells nearest to a point, among one level",
        """
MATCH (c:Cell) WHERE c.key >= $id + '/' AND c.key < $id + '0' AND c.level = 2
WITH c, sqrt(reduce(sum = 0.0, i IN range(0, size(c.center) - 1) | sum + (c.center[i] - 0.5) ^ 2)) AS distance
RETURN c.address, distance ORDER BY distance LIMIT 5
""",
    ),
    (
        "What grew what, and from what",
        """
MATCH (h:Hierarchy)-[g:GROWN_BY]->(p:Predictor)
OPTIONAL MATCH (h)-[:PREDICTS]->(truth:Hierarchy)
RETURN h.id AS grown, g.from_depth AS from_depth, g.to_depth AS to_depth, p.id AS predictor, p.family AS family, truth.id AS truth
""",  # noqa: E501 - as the document has it
    ),
    (
        "Where a prediction goes astray: the cells farthest from their true places",
        """
MATCH (grown:Hierarchy)-[:PREDICTS]->(truth:Hierarchy {id: $id})
MATCH (p:Cell) USING INDEX SEEK p:Cell(key) WHERE p.key >= grown.id + '/' AND p.key < grown.id + '0' AND p.predicted
MATCH (t:Cell {key: truth.id + p.address})
WITH grown, p, sqrt(reduce(sum = 0.0, i IN range(0, size(p.center) - 1) | sum + (p.center[i] - t.center[i]) ^ 2)) AS gap
RETURN grown.id AS grown, p.address AS address, gap ORDER BY gap DESC LIMIT 10
""",
    ),
    (
        "Who is at work, and on which blocks",
        """
MATCH (l:Lease) WHERE l.until >= timestamp()
RETURN l.hierarchy AS hierarchy, l.owner AS owner, l.key AS block, (l.until - timestamp()) / 1000 AS seconds_left
""",
    ),
    (
        "The largest clusters of a data-built hierarchy at level 2",
        """
MATCH (c:Cell) WHERE c.key >= $id + '/' AND c.key < $id + '0' AND c.level = 2 AND c.size IS NOT NULL
RETURN c.address, c.size ORDER BY c.size DESC LIMIT 5
""",
    ),
    (
        "How stable the clusters of a condensed tree are",
        """
MATCH (c:Cell) WHERE c.key >= $id + '/' AND c.key < $id + '0' AND c.selected
RETURN c.cluster AS cluster, c.address AS address, c.size AS points, c.lambda_birth AS born, c.stability AS stability,
       c.persistence AS persistence
ORDER BY stability DESC
""",
    ),
)
