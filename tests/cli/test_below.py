"""``cfgraph rollout --below``: what it prints, and its exit codes."""

from cfgraph import train
from cfgraph.sources.ifs import ifs


def test_growing_where_one_looks(run, store, new_id):
    id, grown, rule = new_id("koch"), new_id("grown"), new_id("rule")
    koch = ifs(id=id, maps="koch", depth=3)
    store.write(koch)
    store.write_predictor(train(koch, id=rule, depth=3, family="recurrence"))
    words = ("rollout", id, "--predictor", rule, "--from-depth", 2, "--as", grown, "--to-depth")
    assert "below /0/1/2" in run(*words, 8, "--below", "/0/1/2").stdout
    assert "nothing is left to grow below /0/1/2" in run(*words, 8, "--below", "/0/1/2").stdout
    assert "/0/1/2" in run("show", grown).stdout
    there = store.counts(grown).cells
    assert 0 < there < 4**8
    for wrong, told in [
        (("8", "--below", "/4"), "slots 0 to 3"),
        (("8", "--below", "x"), "address"),
        ((7,), '{"depth": 8} there'),
    ]:
        assert told in run(*words, *wrong, code=2).stderr.replace("\n", " ")
    assert store.counts(grown).cells == there
    run(*words, 8)
    whole = new_id("whole")
    run("rollout", id, "--predictor", rule, "--from-depth", 2, "--as", whole, "--to-depth", 8)
    assert store.digest(grown) == store.digest(whole)
