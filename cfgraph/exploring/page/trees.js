// Trees: the icicle and the radial tree of the cut that the map shows. Both number the same dots from first to last, so that a
// cell is a range; what one points at or selects in one view is marked in all.

import { el, find } from "./dom.js";
import { colorsOfTree, hexOf, mixed, packHex } from "./palettes.js";
import { levelOf, shortAddress, shorten, visible } from "./words.js";

const FONT = '"Segoe UI", system-ui, "Noto Sans", "DejaVu Sans", sans-serif';
const ROWS_MOST = 40;
const LINES_MOST = 30_000; // branches drawn in a radial tree

/** What both have: a canvas for the cells, one for the marks, the pointer and the keys. */
class TreeView {
  constructor(app, { label, panel = 0 }) {
    this.app = app;
    this.panel = panel;
    this.cells = el("canvas", { "aria-hidden": "true" });
    this.marks = el("canvas", { "aria-hidden": "true" });
    this.element = el("div", { tabIndex: 0, role: "application", "aria-roledescription": "tree", "aria-label": `${label}; arrows move, Enter goes there`, data: { tree: this.kind } }, this.cells, this.marks);
    this.watcher = new ResizeObserver(() => this.measure() && this.drawNow());
    this.watcher.observe(this.element);
    this.element.addEventListener("pointermove", (event) => {
      const node = this.nodeUnder(event);
      app.hoverIn(panel, node === null ? null : this.tree.addressOf(node), "tree");
    });
    this.element.addEventListener("pointerleave", () => app.hover(null, "tree"));
    this.element.addEventListener("click", (event) => {
      const node = this.nodeUnder(event);
      app.selectIn(panel, node === null ? null : this.tree.addressOf(node));
    });
    this.element.addEventListener("dblclick", (event) => {
      const node = this.nodeUnder(event);
      const first = node === null ? null : app.partners.from(panel, this.tree.addressOf(node)); // the first click asked for it
      if (first !== null) app.goTo(first);
    });
  }

  get picture() {
    return this.app.stage.pictures[this.panel] ?? null;
  }

  get tree() {
    return this.picture?.cut.tree ?? null;
  }

  measure() {
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width === this.width && height === this.height && ratio === this.ratio) return false;
    Object.assign(this, { width, height, ratio });
    for (const canvas of [this.cells, this.marks]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    return true;
  }

  colors() {
    const { picture } = this;
    picture.treeColors ??= colorsOfTree(picture.cut, picture.table, this.app.palette);
    return picture.treeColors;
  }

  nameOf(node) {
    return this.app.names.get(this.picture.asked.id, this.tree.addressOf(node));
  }

  begin(canvas) {
    const context = canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    return context;
  }

  /** The share of the whole width that a cell takes, [begin, end]. */
  span(node) {
    const { tree } = this;
    const { begins } = tree;
    const whole = begins[tree.cut.count] || 1;
    return [begins[tree.first[node]] / whole, begins[tree.end[node]] / whole];
  }

  draw() {
    if (!this.waiting) this.waiting = requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    this.measure();
    if (this.width > 1 && this.height > 1) {
      this.begin(this.cells);
      if (this.tree && this.tree.cut.count) this.drawCells();
    }
    this.drawMarks();
  }

  drawMarks() {
    if (!(this.width > 1 && this.height > 1)) return;
    const context = this.begin(this.marks);
    if (!this.tree || !this.tree.cut.count) return;
    const own = (address) => this.app.partners.in(this.panel, address);
    for (const address of this.app.marks.parents.map(own).filter((one) => one !== null)) {
      const node = this.tree.nodeAt(address);
      if (node !== null) this.mark(context, node, { color: this.app.ink.warm, wide: 1.5 });
    }
    for (const [address, color, wide] of [[own(this.app.selected), this.app.ink.ink, 2], [own(this.app.hovered), this.app.ink.accent, 1.5]]) {
      if (address === null) continue;
      const node = this.tree.nodeAt(address, { nearest: true });
      if (node !== null && levelOf(address) >= this.tree.cut.topSlots.length) this.mark(context, node, { color, wide });
    }
  }

  end() {
    cancelAnimationFrame(this.waiting);
    this.watcher.disconnect();
    this.element.remove();
  }
}

/** Cells as strips, one level a row, as wide as what lies below them. */
export class Icicle extends TreeView {
  get kind() {
    return "icicle";
  }

  get row() {
    const rows = Math.min(ROWS_MOST, this.tree.depthMost + 1);
    return { rows, high: Math.min(44, this.height / rows) };
  }

  nodeUnder(event) {
    if (!this.tree?.cut.count) return null;
    const { left, top } = this.element.getBoundingClientRect();
    const { rows, high } = this.row;
    const depth = Math.floor((event.clientY - top) / high);
    if (depth < 0 || depth >= rows) return null;
    const node = this.tree.nodeAbove(this.tree.dotAt((event.clientX - left) / this.width), depth);
    return this.tree.depth[node] === depth ? node : null;
  }

  drawCells() {
    const { tree, width } = this;
    const context = this.begin(this.cells);
    const colors = this.colors();
    const { rows, high } = this.row;
    const drawn = new Float64Array(rows).fill(-1); // how far each row has been drawn
    const { begins } = tree;
    const whole = begins[tree.cut.count];
    const written = [];
    const ground = packHex(this.app.ground);
    const tops = tree.cut.topSlots.length;
    for (let node = 0; node < tree.size; node += 1) {
      const depth = tree.depth[node];
      if (depth >= rows) continue;
      const x0 = (begins[tree.first[node]] / whole) * width;
      const x1 = (begins[tree.end[node]] / whole) * width;
      if (x1 <= drawn[depth]) continue;
      const wide = x1 - x0;
      const gap = wide > 5 ? 1 : 0;
      const shade = mixed(colors[node], ground, 0.07 * (tree.slot[node] % 4) + (depth % 2 ? 0.05 : 0)); // siblings can be told apart
      context.fillStyle = hexOf(shade);
      context.fillRect(Math.max(x0, drawn[depth]), depth * high, Math.max(wide - gap, 1), high - (high > 6 ? 1 : 0));
      drawn[depth] = wide < 1 ? x0 + 1 : x1;
      if (wide > 26 && high > 11) written.push([node, x0, wide]);
    }
    context.font = `${Math.min(12, high - 3)}px ${FONT}`;
    context.textBaseline = "middle";
    for (const [node, x0, wide] of written) {
      const name = this.nameOf(node);
      const address = node === 0 && tops ? shortAddress(tree.addressOf(0), Math.floor(wide / 7)) : node === 0 ? "/" : String(tree.slot[node]);
      const text = shorten(name ? visible(name) : address, Math.floor((wide - 8) / 6.2));
      if (!name && wide < 26) continue;
      context.fillStyle = readable(colors[node]);
      context.fillText(text, x0 + 5, tree.depth[node] * high + high / 2, wide - 7);
    }
  }

  mark(context, node, { color, wide }) {
    const { rows, high } = this.row;
    const depth = Math.min(this.tree.depth[node], rows - 1);
    const [begin, end] = this.span(node).map((share) => share * this.width);
    if (end - begin < this.width - 1) {
      context.fillStyle = color;
      context.globalAlpha = 0.13;
      context.fillRect(begin, depth * high, Math.max(end - begin, 1), this.height);
      context.globalAlpha = 1;
    }
    for (const [ink, more] of [[this.app.ink.ground, 2.5], [color, 0]]) {
      context.lineWidth = wide + more;
      context.strokeStyle = ink;
      context.strokeRect(begin + wide / 2 - (end - begin < 4 ? 2 : 0), depth * high + wide / 2, Math.max(end - begin - wide, 4), high - wide - 1);
    }
  }
}

/** Cells on circles, one level each, with a branch to each child. */
export class Radial extends TreeView {
  get kind() {
    return "radial";
  }

  get round() {
    const depths = Math.max(1, this.tree.depthMost);
    const named = this.app.scene.names ? 64 : 0;
    const most = Math.max(30, Math.min(this.width, this.height) / 2 - 12 - Math.min(named, this.width / 7));
    return { x: this.width / 2, y: this.height / 2, step: most / depths, most, depths };
  }

  /** The angle of a share of the way round, from the top. */
  angle(share) {
    return share * 2 * Math.PI - Math.PI / 2;
  }

  nodeUnder(event) {
    if (!this.tree?.cut.count) return null;
    const box = this.element.getBoundingClientRect();
    const { x, y, step, depths } = this.round;
    const [dx, dy] = [event.clientX - box.left - x, event.clientY - box.top - y];
    const depth = Math.round(Math.hypot(dx, dy) / step);
    if (depth > depths + 4) return null;
    const turn = (Math.atan2(dy, dx) + Math.PI / 2) / (2 * Math.PI);
    return this.tree.nodeAbove(this.tree.dotAt(turn - Math.floor(turn)), Math.min(depth, depths));
  }

  placeOf(node) {
    const [begin, end] = this.span(node);
    const { x, y, step } = this.round;
    const angle = this.angle((begin + end) / 2);
    const radius = this.tree.depth[node] * step;
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle), angle, radius];
  }

  drawCells() {
    const { tree } = this;
    const context = this.begin(this.cells);
    const colors = this.colors();
    const { x, y, step, depths } = this.round;
    const { begins } = tree;
    const whole = begins[tree.cut.count];
    // Levels as faint circles.
    context.strokeStyle = this.app.ink.line;
    context.lineWidth = 1;
    for (let depth = 1; depth <= Math.min(depths, 24); depth += 1) {
      context.beginPath();
      context.arc(x, y, depth * step, 0, 2 * Math.PI);
      context.globalAlpha = 0.55;
      context.stroke();
    }
    context.globalAlpha = 1;
    const middle = new Float64Array(tree.size);
    const drawn = new Float64Array(depths + 1).fill(-9);
    const shown = [];
    for (let node = 0; node < tree.size; node += 1) {
      const depth = tree.depth[node];
      const [from, to] = [begins[tree.first[node]] / whole, begins[tree.end[node]] / whole];
      middle[node] = (from + to) / 2;
      const apart = 0.7 / Math.max(1, 2 * Math.PI * depth * step); // less than a pixel beside the last one
      if (node > 0 && (middle[node] - drawn[depth] < apart || shown.length > LINES_MOST)) continue;
      drawn[depth] = middle[node];
      shown.push(node);
    }
    context.lineCap = "round";
    for (const node of shown) {
      if (node === 0) continue;
      const depth = tree.depth[node];
      const share = (begins[tree.end[node]] - begins[tree.first[node]]) / whole;
      const [a, b] = [this.angle(middle[tree.parent[node]]), this.angle(middle[node])];
      const [inner, outer] = [(depth - 1) * step, depth * step];
      const half = (inner + outer) / 2;
      context.beginPath();
      context.moveTo(x + inner * Math.cos(a), y + inner * Math.sin(a));
      context.bezierCurveTo(x + half * Math.cos(a), y + half * Math.sin(a), x + half * Math.cos(b), y + half * Math.sin(b), x + outer * Math.cos(b), y + outer * Math.sin(b));
      context.lineWidth = Math.max(0.7, Math.min(7, Math.sqrt(share) * 9));
      context.strokeStyle = hexOf(mixed(colors[node], packHex(this.app.ground), 0.2));
      context.stroke();
    }
    for (const node of shown) {
      if (tree.next[node] !== node + 1) continue;
      const [px, py] = this.placeOf(node);
      context.fillStyle = hexOf(colors[node]);
      context.beginPath();
      context.arc(px, py, Math.max(1, Math.min(3.5, (Math.PI * this.round.most) / tree.cut.count)), 0, 2 * Math.PI);
      context.fill();
    }
    if (this.app.scene.names) this.drawNames(context, shown);
  }

  /** Names of childless cells outside, where they stand far enough apart. */
  drawNames(context, shown) {
    context.font = `11px ${FONT}`;
    context.textBaseline = "middle";
    context.fillStyle = this.app.ink.soft;
    let last = -1;
    const outside = Math.min(64, this.width / 7);
    for (const node of shown) {
      const name = this.nameOf(node);
      if (!name || hasChildren(this.tree, node)) continue;
      const [begin, end] = this.span(node);
      const middle = (begin + end) / 2;
      const [px, py, angle, radius] = this.placeOf(node);
      if ((middle - last) * 2 * Math.PI * radius < 12) continue;
      last = middle;
      const left = Math.cos(angle) < 0;
      context.save();
      context.translate(px, py);
      context.rotate(left ? angle + Math.PI : angle);
      context.textAlign = left ? "right" : "left";
      context.fillText(shorten(visible(name), Math.floor(outside / 6)), left ? -7 : 7, 0);
      context.restore();
    }
  }

  mark(context, node, { color, wide }) {
    const { tree } = this;
    const { x, y, most } = this.round;
    const [begin, end] = this.span(node);
    const [from, to] = [this.angle(begin), this.angle(end)];
    if (node > 0 && end - begin < 1) {
      const [px, py, , radius] = this.placeOf(node);
      context.beginPath();
      context.arc(x, y, most + 5, from, to);
      context.arc(x, y, Math.max(0, radius - 3), to, from, true);
      context.closePath();
      context.globalAlpha = 0.13;
      context.fillStyle = color;
      context.fill();
      context.globalAlpha = 1;
      // The way from the middle.
      context.beginPath();
      context.moveTo(px, py);
      for (let at = tree.parent[node]; at >= 0; at = tree.parent[at]) context.lineTo(...this.placeOf(at).slice(0, 2));
      context.lineWidth = wide;
      context.strokeStyle = color;
      context.stroke();
    }
    const [px, py] = this.placeOf(node);
    context.beginPath();
    context.arc(px, py, 5, 0, 2 * Math.PI);
    context.lineWidth = wide + 2.5;
    context.strokeStyle = this.app.ink.ground;
    context.stroke();
    context.lineWidth = wide;
    context.strokeStyle = color;
    context.stroke();
  }
}

const hasChildren = (tree, node) => tree.next[node] !== node + 1;

/** Black or white, what can be read on a color. */
function readable(color) {
  const [red, green, blue] = [0, 8, 16].map((by) => (((color >>> by) & 255) / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.2 ? "#101014" : "#ffffff";
}

/** The trees that are shown, one view or two, for one panel or two. */
export class Trees {
  constructor(app) {
    this.app = app;
    this.place = find("trees");
    this.shown = [];
    this.kinds = new Set();
    for (const event of ["cut", "theme", "names"]) app.on(event, () => this.shown.forEach((view) => view.draw()));
    for (const event of ["hovered", "selected", "marked", "linked"]) app.on(event, () => this.shown.forEach((view) => view.drawMarks()));
    const grip = find("tree-grip");
    let held = null;
    const height = (pixels) => {
      const most = find("pictures").clientHeight - 120;
      const high = Math.round(Math.max(70, Math.min(most, pixels)));
      document.documentElement.style.setProperty("--tree-height", `${high}px`);
      grip.setAttribute("aria-valuenow", String(high));
    };
    grip.addEventListener("pointerdown", (event) => {
      grip.setPointerCapture(event.pointerId);
      held = { y: event.clientY, height: this.place.clientHeight };
    });
    grip.addEventListener("pointermove", (event) => held && height(held.height + held.y - event.clientY));
    grip.addEventListener("pointerup", () => (held = null));
    grip.addEventListener("keydown", (event) => {
      const by = { ArrowUp: 24, ArrowDown: -24 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      height(this.place.clientHeight + by);
    });
  }

  toggle(kind) {
    if (!this.kinds.delete(kind)) this.kinds.add(kind);
    this.show();
  }

  use(kinds) {
    const wanted = kinds.filter((kind) => kind === "icicle" || kind === "radial").sort();
    if (wanted.join() === [...this.kinds].sort().join()) return;
    this.kinds = new Set(wanted);
    this.show();
  }

  /** Makes the views that are wanted anew. */
  show() {
    this.shown.forEach((view) => view.end());
    const panels = this.app.beside ? [0, 1] : [0];
    this.shown = [...this.kinds].sort().flatMap((kind) =>
      panels.map((panel) => {
        const label = (kind === "icicle" ? "Icicle" : "Radial tree") + (panels.length > 1 ? ` of ${visible(panel ? this.app.beside : this.app.id)}` : "");
        return new (kind === "icicle" ? Icicle : Radial)(this.app, { label, panel });
      }),
    );
    this.place.replaceChildren(...this.shown.map(({ element }) => element));
    document.documentElement.style.setProperty("--tree-usual", this.kinds.has("radial") ? "340px" : "230px");
    this.place.hidden = find("tree-grip").hidden = !this.shown.length;
    find("pictures").toggleAttribute("data-trees", this.shown.length > 0);
    for (const kind of ["icicle", "radial"]) document.querySelector(`[data-command="${kind}"]`).setAttribute("aria-pressed", String(this.kinds.has(kind)));
    this.shown.forEach((view) => view.draw());
    this.app.emit("linked");
  }
}
