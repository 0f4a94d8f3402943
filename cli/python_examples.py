"""The examples of docs/python.md, by what they are of: they run one after the other, in the order of the page."""

SETUP = """\
import numpy as np
from sklearn.datasets import load_digits

import cfgraph
from cfgraph import Store, sources

rows, classes = load_digits(n_class=4, return_X_y=True)
rows, classes = rows[:200], classes[:200]
"""

EXAMPLES = {
    "sources.cfg": "smooth = sources.cfg(arity=3, dimension=2, depth=5, seed=7)",
    "sources.ifs": 'koch = sources.ifs("koch", depth=5, id="koch")',
    "sources.points": 'digits = sources.points(rows, arity=3, depth=3, pca=8, points=True, id="digits")',
    "sources.images": "sources.images(rows.reshape(-1, 8, 8).astype(np.uint8) * 15, arity=2, depth=2, pca=4)",
    "sources.induced": "sources.induced(rows, depth=3, arity=3, pca=2)",
    "sources.logits": """\
scores = np.random.default_rng(0).normal(size=(200, 4)) + 5 * np.eye(4)[classes]
sources.logits(scores, names=["zero", "one", "two", "three"])""",
    "sources.linkage": """\
from scipy.cluster.hierarchy import linkage

merged = sources.linkage(linkage(rows, "ward"), id="merged")""",
    "sources.tree": """\
from sklearn.cluster import AgglomerativeClustering

sources.tree(AgglomerativeClustering(n_clusters=None, distance_threshold=0).fit(rows))""",
    "sources.edges": """\
from pathlib import Path

Path("animals.tsv").write_text("child\\tparent\\ncat\\tmammal\\ndog\\tmammal\\nmammal\\tanimal\\n")
sources.edges("animals.tsv")""",
    "sources.graph": """\
import networkx as nx

sources.graph(nx.DiGraph([("animal", "mammal"), ("mammal", "cat"), ("mammal", "dog")]))""",
    "sources.dasgupta": "sorted_out = sources.dasgupta(rows, starts=1, points=True)",
    "sources.hcrl": "sources.hcrl(rows, depth=2, branching=3, pca=4)",
    "sources.infohier": "sources.infohier(rows, epochs=1, starts=1, passes=0)",
    "sources.parquet": """\
cfgraph.export(koch, "koch.parquet")
sources.parquet("koch.parquet").hierarchy""",
    "sources.folder": """\
from cfgraph.sources.cfg import Design, field as field_of
from cfgraph.transfer.fields import write_field

write_field(field_of(id="deep", depth=8, design=Design(arity=3)), "deep")  # on disk, or "s3://bucket/deep"
sources.folder("deep/").hierarchy""",
    "train": """\
rule = cfgraph.train(koch.with_cells(koch.cells.prefix(2)), id="koch-rule")
rule.family, rule.validation""",
    "grow": """\
learned = rule.load().predict
cells = cfgraph.grow(koch.cells.prefix(2), rule=learned, arity=koch.arity, scale_factor=koch.scale_factor, depth=5)""",
    "rollout": """\
store = Store.open("local")  # a private Neo4j that starts by itself
store.write(koch)
store.write_predictor(rule)
cfgraph.rollout(store, "koch", predictor="koch-rule", from_depth=2, copy_as="koch-grown", to_depth=5)""",
    "compare": """\
cfgraph.compare(store, "koch", "koch-grown").levels[-1].rolled_out.max_center_error
cfgraph.compare(koch, koch.replace(id="again", cells=cells), trained=rule).to_pandas()  # in memory
cfgraph.compare(merged, sorted_out, by="name").trees.robinson_foulds.normalised""",
    "diff": """\
cfgraph.diff("koch", "koch-grown", store=store).equal
cfgraph.diff(koch, koch).equal""",
    "certify": 'cfgraph.certify(store, "koch")',
    "evaluate": "cfgraph.evaluate(merged, labels=classes, embeddings=rows, clusters=4).scores.nmi",
    "cut": """\
flat = cfgraph.cut(merged, clusters=4)  # merged.cut(clusters=4) is the same
flat.labels, flat.sizes""",
    "verify": 'cfgraph.verify(store, "koch").clean',
    "find_path": """\
cfgraph.find_path(koch, "/0/1", "/3/2").distance
cfgraph.find_path(store, "koch", "/0/1", "/3/2").way""",
    "field": """\
field = cfgraph.field(koch)
field.cells(["/0" * 30]).center  # thirty levels down, stored or not""",
    "apply": """\
cfgraph.apply(digits, rows[:3])  # addresses
store.write(digits)
cfgraph.apply(store, "digits", rows[:3])""",
    "encode": "cfgraph.encode(digits, rows[:3])",
    "reconstruct": 'cfgraph.reconstruct(digits, ["/0", "/1"]).reshape(2, 8, 8)',
    "search": "cfgraph.search(sorted_out, rows[:3], data=rows, k=5)",
    "place": 'cfgraph.place(store, "digits", rows[:20] + 0.1, batch="monday")',
    "drift": 'cfgraph.drift(store, "digits", batch="monday").cells',
    "explore": """\
with cfgraph.explore(koch, browser=False) as page:
    page.address  # for a browser on this machine, until the page is closed""",
    "export": """\
cfgraph.export(koch, "koch.graphml", depth=3)
cfgraph.export(store, "koch-grown", "grown.parquet")""",
    "to_networkx": "cfgraph.to_networkx(koch).number_of_nodes()",
    "to_json": 'print(cfgraph.to_json(cfgraph.find_path(koch, "/0", "/1")))',
    "describe": 'cfgraph.describe(store, "koch-grown")["cells"]',
    "history": 'cfgraph.history(store, "koch-grown").entries',
    "snapshot": 'cfgraph.snapshot(store, "koch", name="before", output="before.parquet")',
    "materialise": """\
field = cfgraph.field(store, "koch-grown")
cfgraph.materialise(field, "/0/1", 4, depth=6)""",
    "upgrade": "cfgraph.upgrade(store, [])  # of every hierarchy, unless ids are given",
    "Hierarchy.plot": """\
koch.plot(depth=4).savefig("koch.png")

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2)
koch.plot(form="icicle", depth=3, ax=left)
digits.plot(ax=right)
plt.close(figure)""",
    "Hierarchy.explore": "koch.explore(browser=False).close()",
    "Hierarchy.to_pandas": 'cells, edges = digits.to_pandas()\ncells.groupby("level")["size"].max()',
    "Hierarchy.to_linkage": "merged.to_linkage()[:3]",
    "Store.read_whole": 'store.read_whole("digits").cell_of_point',
    "Store.query": """\
store.query("MATCH (h:Hierarchy) RETURN h.id AS id, h.origin AS source LIMIT 3").to_pandas()""",
    "Store.query_pages": """\
for page in store.query_pages("UNWIND range(1, 25) AS number RETURN number", size=10):
    len(page.rows)""",
    "Store.remove": 'store.remove("koch-grown")',
    "Stores.open": """\
from cfgraph import Stores

with Stores.open(["local"]) as stores:  # or "stores.toml"
    cfgraph.describe(stores, "koch")["cells"]""",
    "ClassificationField": """\
from cfgraph import ClassificationField

estimator = ClassificationField(arity=3, depth=3, random_state=0).fit(rows)
estimator.predict(rows[:3])  # labels of a cut
estimator.apply(rows[:3])  # addresses""",
}
