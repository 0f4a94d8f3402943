"""Peaks: the most memory that the process of each command holds, or one of its workers, at a million cells and more.

The server's memory is its own (docs/servers.md) and not counted; no command here starts one.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.finding import Finding, Wanted
from benchmarks.rounds import Say

WANTED = Wanted("at most", 1000)
SEED = 7
SECOND_PARENTS = 0.2  # of the edges of the ontology: those from second parents
CFGRAPH = [sys.executable, "-c", "from cfgraph.cli import main; main()"]
# Runs a command and tells its exit code, the most memory that it or a process of its held, in bytes, its seconds, and its last
# words. A process of its own, and a small one: what is started by a large process never seems smaller than that one.
PROBE = """
import json, resource, subprocess, sys, time
begin = time.monotonic()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
peak = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([done.returncode, peak, time.monotonic() - begin, done.stderr[-500:]]))
"""


@dataclass(frozen=True)
class Sizes:
    """How large the hierarchies are: a field's depth, a linkage's and k-means' points, an ontology's edges."""

    depth: int
    points: int
    edges: int


SIZES = Sizes(depth=10, points=500_000, edges=1_000_000)  # 1,398,101 cells, 999,999 and 800,001
SIZES_QUICK = Sizes(depth=5, points=1_000, edges=2_000)


@dataclass(frozen=True)
class Step:
    """One command: what it does, and the words behind ``cfgraph``."""

    title: str
    words: tuple[str, ...]

    @classmethod
    def of(cls, title: str, line: str) -> "Step":
        """The step of a line as one would type it."""
        return cls(title, tuple(shlex.split(line)))


@dataclass(frozen=True)
class Peak:
    """What a command needed."""

    step: Step
    bytes: int
    seconds: float


def measure_peaks(url: str, *, sizes: Sizes, say: Say) -> list[Finding]:
    """``peaks``: every command once, one after the other, on hierarchies of a million cells and more."""
    with TemporaryDirectory(prefix="cfgraph-bench-") as name:
        folder = Path(name)
        write_inputs(folder, sizes=sizes)
        return [_found(run_step(step, url=url, say=say)) for step in make_steps(folder, sizes=sizes)]


def _found(peak: Peak) -> Finding:
    return Finding(
        name="peaks",
        title=f"peak memory of {peak.step.title}",
        values=(peak.bytes / 1e6,),
        wanted=WANTED,
        unit=" MB",
        ours=f"resident memory of `cfgraph {shlex.join(_shown(peak.step.words))}`, or of the largest of its workers",
        theirs=f"it took {peak.seconds:.0f} s",
    )


def _shown(words: tuple[str, ...]) -> list[str]:
    """The words without the folder that the files lie in."""
    return [Path(word).name if word.startswith("/") and Path(word).parent.is_dir() else word for word in words]


def run_step(step: Step, *, url: str, say: Say) -> Peak:
    """Run a command in a process of its own; an ``AssertionError`` with its last words where it fails."""
    line = [sys.executable, "-c", PROBE, *CFGRAPH, "--store", url, *step.words]
    code, peak, seconds, words = json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
    if code:
        raise AssertionError(f"cfgraph {shlex.join(step.words)} ended with code {code}: {words}")
    say(f"  {step.title}: {peak / 1e6:,.0f} MB, {seconds:.0f} s")
    return Peak(step, peak, seconds)


# -- what is run


def make_steps(folder: Path, *, sizes: Sizes) -> Iterator[Step]:
    """Every command, in an order in which each finds what it needs."""
    yield from _ingests(folder, depth=sizes.depth)
    yield from _growths(depth=sizes.depth)
    yield from _answers(folder)
    yield from _exports(folder)
    yield from _plots(folder)
    yield from _queries()
    for name in ("koch", "words", "nouns"):
        again = f"ingest parquet {folder}/{name}.parquet --as {name}-again"
        yield Step.of(f"ingest parquet ({name})", again)
    yield from (Step.of(f"rm ({name})", f"rm {name}") for name in ("grown", "words-again", "nouns"))


def _ingests(folder: Path, *, depth: int) -> Iterator[Step]:
    yield Step.of("ingest cfg", f"ingest cfg --depth {depth} --as smooth")
    yield Step.of("ingest ifs", f"ingest ifs --map koch --depth {depth} --as koch")
    yield Step.of("ingest points", f"ingest points {folder}/points.npy --arity 4 --depth {depth // 2} --points --as clusters")
    for name in ("words", "others"):
        yield Step.of(f"ingest linkage ({name})", f"ingest linkage {folder}/{name}.npy --names {folder}/names.txt --as {name}")
    yield Step.of("ingest edges", f"ingest edges {folder}/nouns.tsv --as nouns")


def _growths(*, depth: int) -> Iterator[Step]:
    yield Step.of("train", f"train koch --depth {depth} --as rule")
    grow = f"rollout koch --predictor rule --from-depth 3 --to-depth {depth}"
    yield Step.of("rollout, one worker", f"{grow} --as grown")
    yield Step.of("rollout, three workers", f"{grow} --workers 3 --as grown-by-three")


def _answers(folder: Path) -> Iterator[Step]:
    yield Step.of("ls", "ls")
    yield Step.of("compare", "compare koch grown")
    yield Step.of("compare by name", "compare words others")
    yield Step.of("compare by name, several parents", "compare nouns nouns")
    for name in ("koch", "words", "nouns"):
        yield Step.of(f"verify ({name})", f"verify {name}")
        yield Step.of(f"show --digest ({name})", f"show {name} --digest")
    yield Step.of("path", "path koch /0/1/2/3 /3/2/1/0")
    yield Step.of("path by name", "path words word-1 word-2")
    yield Step.of("path, several parents", "path nouns noun-11 noun-12")
    yield Step.of("evaluate", f"evaluate words --labels {folder}/labels.npy --level 5")


def _exports(folder: Path) -> Iterator[Step]:
    for name in ("koch", "words", "nouns"):
        for suffix in ("parquet", "csv", "graphml", "gexf", "json", "dot"):
            flat = suffix == "csv" and name == "nouns"
            place = f"--format csv -o {folder}/{name}-tables" if flat else f"-o {folder}/{name}.{suffix}"
            yield Step.of(f"export as {suffix} ({name})", f"export {name} {place}")
        yield Step.of(f"export as neo4j-admin ({name})", f"export {name} --format neo4j-admin -o {folder}/{name}-admin")
    yield Step.of("export as newick (koch)", f"export koch -o {folder}/koch.nwk")
    yield Step.of("export as newick (words)", f"export words -o {folder}/words.nwk")
    yield Step.of("export as linkage", f"export words --format linkage -o {folder}/words-again.npy")
    yield Step.of("export of a prefix", f"export koch --depth 9 -o {folder}/prefix.graphml")
    yield Step.of("export of maps", f"export rule -o {folder}/rule.json")


def _plots(folder: Path) -> Iterator[Step]:
    for form in ("centers", "dendrogram", "radial", "icicle"):
        name = "koch" if form == "centers" else "words"
        yield Step.of(f"plot --form {form}", f"plot {name} --form {form} -o {folder}/{form}.png")
    yield Step.of("plot --beside", f"plot koch --beside grown -o {folder}/beside.png")


def _queries() -> Iterator[Step]:
    asked = shlex.quote("MATCH (cell:Cell {hierarchy: 'koch'}) RETURN cell.key, cell.level, cell.center LIMIT 1000000")
    for form in ("csv", "json", "table"):
        yield Step.of(f"query as {form}", f"query {asked} --format {form}")


# -- what is read


def write_inputs(folder: Path, *, sizes: Sizes) -> None:
    """The files that are ingested: points, two linkages over the same names, an ontology; and labels of the points."""
    random = np.random.default_rng(SEED)
    np.save(folder / "points.npy", random.normal(size=(2 * sizes.points, 2)))
    np.save(folder / "labels.npy", random.integers(10, size=sizes.points))
    for name in ("words", "others"):
        np.save(folder / f"{name}.npy", _merges(random, points=sizes.points))
    (folder / "names.txt").write_text("".join(f"word-{point}\n" for point in range(sizes.points)))
    child, parent = _ontology(random, edges=sizes.edges)
    rows = (f"noun-{one}\tnoun-{other}\n" for one, other in zip(child.tolist(), parent.tolist(), strict=True))
    (folder / "nouns.tsv").write_text("".join(["child\tparent\n", *rows]))


def _merges(random: np.random.Generator, *, points: int) -> np.ndarray:
    """A linkage matrix: any two of what is left are merged, so that the tree is some dozens of levels deep."""
    left, size, rows = list(range(points)), [1] * points, []
    for merge, (one, other) in enumerate(random.random((points - 1, 2)).tolist()):
        pair = []
        for share in (one, other):
            place = int(share * len(left))
            left[place], left[-1] = left[-1], left[place]
            pair.append(left.pop())
        size.append(size[pair[0]] + size[pair[1]])
        left.append(points + merge)
        rows.append((*sorted(pair), 1.0 + merge, size[-1]))
    return np.array(rows, dtype=np.float64)


def _ontology(random: np.random.Generator, *, edges: int) -> tuple[np.ndarray, np.ndarray]:
    """Children and parents: each node but the first below one of lower number, and some below a second one."""
    nodes = 1 + round(edges * (1 - SECOND_PARENTS))
    child = np.concatenate([np.arange(1, nodes), random.integers(nodes // 2, nodes, size=2 * edges)])
    parent = (random.random(len(child)) * child).astype(np.int64)
    _, first = np.unique(child * nodes + parent, return_index=True)
    chosen = np.sort(first)[:edges]
    return child[chosen], parent[chosen]
