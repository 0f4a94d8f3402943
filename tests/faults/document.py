"""Document: the findings as docs/reliability.md, below what they are findings about."""

from collections.abc import Sequence

from tests.faults.finding import Finding

INTRODUCTION = """\
<!-- Written by `make faults`; edit tests/faults/document.py instead. -->

# Reliability

A hierarchy that many workers grow, while they are killed, stopped and cut off, is cell for cell the one that a single
worker grows when nothing happens to it. This page says why, and what was tried.

## Why each block is written exactly once

* **Canonical blocks.** The hierarchy is cut into subtrees, and the cut depends on the depth that is aimed at and on the
  height of a block alone, both pinned in the graph when the growth begins. So any worker that grows a block grows the
  same cells from the same seeds in the same batch, bit for bit. Who grew it, and at which try, leaves no trace.
* **One transaction a block.** Its first statement takes the label `Frontier` from the block's seeds, the next create its
  cells, a statement a level; only the deepest are `Frontier`. A transaction is there or is not: whenever all workers die,
  the graph is a valid, shallower hierarchy, and its frontier says what is left. Nothing else keeps account.
* **The seeds are the lock.** Two who write the same block meet at its seeds: the second waits for the first's commit,
  finds fewer frontier cells than it asked for, and rolls back. The unique key of cells stands behind that. A block can be
  written once, whatever is true of leases.
* **Leases save work.** A worker claims a block before it grows it: the block's root, its own name, a random token, an end
  by the server's clock. The clocks of the workers are never read. A thread of the worker's moves the end three times in a
  lease. Who asks for a claim again after its connection broke finds its own token, and so its own claim.
* **The fence.** The last statement of the transaction proves that the token is still on the lease and that the lease has
  not ended, and deletes it. A worker that stalled past the end is refused there, even if nobody took the block over yet;
  a renewal never revives a lease that has ended. It is the last so that the lease can be renewed while the cells are
  being written. The server ends a transaction that takes longer than a lease and than ten seconds, so that one whose client
  stalls does not keep others from the seeds; the client tries again with twice the time. A worker that lost a lease asks
  for longer ones.
* **Taking over.** A lease that has ended is free for the next claim; so is one whose owner provably runs no more on this
  machine. A worker that finds nothing but blocks in the hands of others looks again four times a second.
* **A commit of unknown outcome** (the connection broke before the answer came) is tried again, and the seeds say which it
  was.
* **The end** is recorded when no block is left, and every lease that is left ends with it.

## What was tried

Each line is one test. Every copy that was grown to its end under its faults was counted, checked by `cfgraph verify`, and
its digest held against that of a copy that one undisturbed worker grew (same predictor, same prefix, same depth); no
lease was left on it. *Lost* are cells that the undisturbed copy has and this one has not; *doubled* are cells and edges
that are there more than once. *Restarts* are of commands; *taken over* are leases whose owner had died or let them end.
"""


def as_markdown(findings: Sequence[Finding], *, conditions: dict[str, str]) -> str:
    """The whole of docs/reliability.md."""
    rows = [Finding.COLUMNS, ("---",) * len(Finding.COLUMNS), *(finding.row() for finding in findings)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    faults, cells = sum(finding.faults for finding in findings), sum(finding.cells for finding in findings)
    lost, doubled = sum(finding.lost for finding in findings), sum(finding.doubled for finding in findings)
    told = f"In all: {faults:,} faults, {cells:,} cells, {lost:,} lost, {doubled:,} doubled."
    listed = "\n".join(f"* {name}: {value}" for name, value in conditions.items())
    return "\n".join([INTRODUCTION, table, "", told, "", "## The run", "", listed, ""])
