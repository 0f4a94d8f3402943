"""``cfgraph path`` below what is stored: the rule answers, and that is said; where none is known it ends."""

import json

import pytest

from cfgraph import field, sources


def test_a_path_goes_on_below_what_is_stored(told, store, new_id):
    id, deep, other = new_id("koch"), "/0" + "/1" * 39, "/0/3"
    store.write(sources.ifs(id=id, maps="koch", depth=2))
    out, err = told("path", id, deep, other, "--format", "json")
    found = json.loads(out)
    assert (found["ancestor"], len(found["way"])) == ("/0", 41)
    assert found["distance"] == pytest.approx(float(field("koch").path_distances([deep], [other])[0]), rel=1e-12)
    assert found["distance"] == pytest.approx(sum(found["lengths"]), rel=1e-12)
    assert "38 of the 41 cells on the way are not stored" in err
    assert told("path", id, "/0/1", other)[1] == ""  # all of it is stored
    assert "slot 4" in told("path", id, deep + "/4", other, code=2)[1]
    assert "no name" in told("path", id, deep, "no name", code=2)[1]


def test_without_a_rule_it_ends_where_cells_do(told, store, new_id, tmp_path):
    (tmp_path / "in.nwk").write_text("((a:1,b:2)ab:1,c:3)r;", encoding="utf-8")
    tree = store.write(sources.tree(id=new_id("tree"), data=tmp_path / "in.nwk"))
    assert "there is no cell /0/0/7" in told("path", tree.id, "/0/0/7", "/1", code=2)[1]
