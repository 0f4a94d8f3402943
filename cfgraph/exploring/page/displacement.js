// Displacement: how far the cells of one hierarchy lie from those of the same address in another, both seen from the anchor of the
// view, in units of their scale. Both cuts are of one view, so it is a difference of pixels.

import { MISSING } from "./cut.js";

const LEAST = 1e-4; // of a scale: less than what pixels in single precision tell

/** Dots of two cuts that stand for the same cell, as pairs of rows: both trees are gone down at once. */
function* pairs(first, second) {
  const [a, b] = [first.tree, second.tree];
  const deeper = first.topSlots.length >= second.topSlots.length ? first : second;
  const begin = [first, second].map((cut) => (cut === deeper ? 0 : cut.tree.nodeAt(deeper.header.top)));
  if (!first.count || !second.count || begin.includes(null)) return;
  const waiting = [begin];
  while (waiting.length) {
    const [one, other] = waiting.pop();
    const ends = [a.next[one] === one + 1, b.next[other] === other + 1];
    if (ends[0] && ends[1]) yield [a.first[one], b.first[other]];
    if (ends[0] || ends[1]) continue;
    const there = new Map();
    for (const child of b.children(other)) there.set(b.slot[child], child);
    for (const child of a.children(one)) if (there.has(a.slot[child])) waiting.push([child, there.get(a.slot[child])]);
  }
}

/** Gives the dots of two cuts displacements as their values, on a scale of logarithms; where the other has none, none. */
export function compareCuts([first, second], { factor }) {
  const scale = (cut, row) => {
    const { anchor, z } = cut.header;
    const level = anchor === "/" ? 0 : anchor.split("/").length - 1;
    return factor ? z * factor ** (cut.level[row] - level) : cut.r[row];
  };
  const rows = [];
  let [low, high] = [Infinity, 0];
  for (const [one, other] of pairs(first, second)) {
    const size = scale(first, one);
    if (!(size > 0)) continue;
    const apart = Math.max(LEAST, Math.hypot(first.x[one] - second.x[other], first.y[one] - second.y[other]) / size);
    rows.push([one, other, apart]);
    if (apart < low) low = apart;
    if (apart > high) high = apart;
  }
  const color = { mode: "displacement", kind: "number", low: rows.length ? low : 0, high, log: true, missing: MISSING };
  const span = Math.log(high / low) || 1;
  for (const cut of [first, second]) {
    cut.value = new Uint16Array(cut.count).fill(MISSING);
    cut.header = { ...cut.header, color };
  }
  for (const [one, other, apart] of rows) first.value[one] = second.value[other] = Math.round((65534 * Math.log(apart / low)) / span);
}
