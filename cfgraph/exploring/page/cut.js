// The cut: what the server answers, read without a copy, and the tree that its addresses are.

import { addressOf, slotsOf } from "./words.js";

const ARRAYS = { f4: Float32Array, u4: Uint32Array, u2: Uint16Array, u1: Uint8Array };
export const MISSING = 65535;

/** Reads header and columns. Their offsets count from the end of the padded header. */
export function readCut(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const columns = {};
  for (const { name, type, length: rows, offset } of header.columns) columns[name] = new ARRAYS[type](buffer, 4 + length + offset, rows);
  return new Cut(header, columns);
}

/** Dots in address order, so that the cells below any one are a range of them. */
export class Cut {
  constructor(header, columns) {
    Object.assign(this, columns);
    this.header = header;
    this.count = header.dots;
    this.topSlots = slotsOf(header.top);
  }

  /** The tree of all cells above the dots, made when it is first asked for. */
  get tree() {
    this._tree ??= new Tree(this);
    return this._tree;
  }

  addressOfDot(row) {
    return this.tree.addressOf(this.tree.nodeOfDot[row]);
  }

  /** The dots at or below a cell, [first, end): none, where it lies elsewhere or is smaller than a dot. */
  rangeOf(address) {
    const node = this.tree.nodeAt(address);
    if (node === null) return null;
    return [this.tree.first[node], this.tree.end[node]];
  }

  /** The dot that stands for a cell: itself, or the one above it where the cut ends higher. */
  dotFor(address) {
    const node = this.tree.nodeAt(address, { nearest: true });
    return node !== null && this.tree.next[node] === node + 1 && this.tree.end[node] - this.tree.first[node] === 1 ? this.tree.first[node] : null;
  }

  /** The dot whose disc (of radius `factor` r, at most `largest`) is nearest to a place, at most so far away; -1 for none. Dots lie in squares. */
  pick(x, y, { most, factor, largest }) {
    this._squares ??= squaresOf(this);
    const { left, top, wide, high, starts, rows } = this._squares;
    const far = most + Math.min(600, largest, this._squares.largest * factor);
    const [c0, c1] = [Math.max(0, Math.floor((x - far - left) / SQUARE)), Math.min(wide - 1, Math.floor((x + far - left) / SQUARE))];
    const [r0, r1] = [Math.max(0, Math.floor((y - far - top) / SQUARE)), Math.min(high - 1, Math.floor((y + far - top) / SQUARE))];
    let found = -1;
    let least = most;
    for (let r = r0; r <= r1; r += 1)
      for (let at = starts[r * wide + c0]; c0 <= c1 && at < starts[r * wide + c1 + 1]; at += 1) {
        const dot = rows[at];
        const distance = Math.hypot(this.x[dot] - x, this.y[dot] - y) - Math.min(largest, this.r[dot] * factor);
        if (distance < least) [found, least] = [dot, distance];
      }
    return found;
  }
}

const SQUARE = 8;

function squaresOf({ x, y, r, count }) {
  let largest = 0;
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let row = 0; row < count; row += 1) {
    if (x[row] < left) left = x[row];
    if (x[row] > right) right = x[row];
    if (y[row] < top) top = y[row];
    if (y[row] > bottom) bottom = y[row];
    if (r[row] > largest) largest = r[row];
  }
  [left, top] = [Math.max(left, -8000), Math.max(top, -8000)];
  const wide = count ? Math.min(2000, Math.floor((Math.min(right, 8000) - left) / SQUARE) + 1) : 1;
  const high = count ? Math.min(2000, Math.floor((Math.min(bottom, 8000) - top) / SQUARE) + 1) : 1;
  const starts = new Int32Array(wide * high + 1);
  const squares = new Int32Array(count);
  for (let row = 0; row < count; row += 1) {
    const column = Math.min(wide - 1, Math.max(0, Math.floor((x[row] - left) / SQUARE)));
    const line = Math.min(high - 1, Math.max(0, Math.floor((y[row] - top) / SQUARE)));
    squares[row] = line * wide + column;
    starts[squares[row] + 1] += 1;
  }
  for (let square = 0; square < wide * high; square += 1) starts[square + 1] += starts[square];
  const free = starts.slice(0, -1);
  const rows = new Int32Array(count);
  for (let row = 0; row < count; row += 1) rows[free[squares[row]]++] = row;
  return { left, top, wide, high, starts, rows, largest };
}

/** Cells from the cut's top down to its dots, depth first: each slot that the cut names is one of them. */
export class Tree {
  constructor(cut) {
    const { level, common, slots, count, topSlots } = cut;
    const size = slots.length + 1;
    this.cut = cut;
    this.size = size;
    this.slot = new Uint32Array(size);
    this.parent = new Int32Array(size).fill(-1);
    this.depth = new Uint16Array(size); // below the top
    this.first = new Int32Array(size); // its dots
    this.end = new Int32Array(size).fill(count);
    this.next = new Int32Array(size).fill(size); // the cell behind all below it
    this.nodeOfDot = new Int32Array(count);
    this.depthMost = 0;
    const way = [0];
    let made = 1;
    let read = 0;
    for (let row = 0; row < count; row += 1) {
      const depth = level[row] - topSlots.length;
      for (let at = common[row] + 1; at < way.length; at += 1) [this.end[way[at]], this.next[way[at]]] = [row, made];
      way.length = common[row] + 1;
      for (let at = common[row]; at < depth; at += 1) {
        this.slot[made] = slots[read++];
        this.parent[made] = way[at];
        this.depth[made] = at + 1;
        this.first[made] = row;
        way.push(made++);
      }
      this.nodeOfDot[row] = way[way.length - 1];
      if (depth > this.depthMost) this.depthMost = depth;
    }
  }

  addressOf(node) {
    const slots = [];
    for (let at = node; at > 0; at = this.parent[at]) slots.push(this.slot[at]);
    return addressOf([...this.cut.topSlots, ...slots.reverse()]);
  }

  *children(node) {
    for (let at = node + 1; at < this.next[node]; at = this.next[at]) yield at;
  }

  /** The cell of an address, or the last one on its way where `nearest`; null where the way leaves the tree at its top. */
  nodeAt(address, { nearest = false } = {}) {
    const slots = slotsOf(address);
    const top = this.cut.topSlots;
    for (let at = 0; at < top.length; at += 1) {
      if (at >= slots.length) return nearest ? null : this.cut.count ? 0 : null; // above the top: all of it
      if (slots[at] !== top[at]) return null;
    }
    let node = 0;
    for (let at = top.length; at < slots.length; at += 1) {
      let below = null;
      for (const child of this.children(node))
        if (this.slot[child] === slots[at]) {
          below = child;
          break;
        }
      if (below === null) return nearest && this.next[node] === node + 1 ? node : null;
      node = below;
    }
    return node;
  }

  /** The cell at a depth on the way to a dot. */
  nodeAbove(row, depth) {
    let node = this.nodeOfDot[row];
    while (this.depth[node] > depth) node = this.parent[node];
    return node;
  }

  /** Where each dot begins, if they stand side by side as wide as they weigh; the last is the whole. */
  get begins() {
    if (!this._begins) {
      const { count, weight } = this.cut;
      this._begins = new Float64Array(count + 1);
      for (let row = 0; row < count; row += 1) this._begins[row + 1] = this._begins[row] + (weight ? Math.max(weight[row], 0) : 1);
      if (!(this._begins[count] > 0)) for (let row = 0; row <= count; row += 1) this._begins[row] = row;
    }
    return this._begins;
  }

  /** The dot at a share of the whole width. */
  dotAt(share) {
    const begins = this.begins;
    const place = share * begins[this.cut.count];
    let [low, high] = [0, this.cut.count - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (begins[middle] <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
