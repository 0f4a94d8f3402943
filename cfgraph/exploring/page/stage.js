// The stage: the map. It asks for cuts, moves what it has meanwhile, and draws one canvas for all panels.

import { askBytes, askJson } from "./api.js";
import { readCut } from "./cut.js";
import { compareCuts } from "./displacement.js";
import { el, find } from "./dom.js";
import { carry, isStale, moved, still } from "./frames.js";
import { drawMarks } from "./marks.js";
import { colorsOf, mixed, packHex, tableOf } from "./palettes.js";
import { Pixels } from "./pixels.js";
import { WebGL } from "./webgl.js";

const STEP = 1.5; // a key's or a click's zoom
const AHEAD = 1e6; // how far a view may run before its answer
const SLOW = 40; // milliseconds a frame: then the other renderer is tried
const GLIDE = 260; // milliseconds
const DOT = 2.2; // pixels
const FINE = 1.25; // pixels down to which cells are asked for where that takes few dots, or once nothing moves
const COARSE = 3;
const FEW = 160_000; // dots while one moves
const MANY = 500_000; // dots at rest
const REST = 450; // milliseconds
const PATIENCE = 1500; // milliseconds that finer dots may take

export class Stage {
  constructor(app) {
    this.app = app;
    this.element = find("stage");
    this.layers = find("layers");
    this.marks = el("canvas", { "aria-hidden": "true" });
    this.frame = null; // where one looks, as it was last answered; `since` is what happened after that
    this.since = still();
    this.pictures = [];
    this.tracked = new Set();
    this.asking = null;
    this.dotScale = 1;
    this.watchSize();
    this.listen();
  }

  // Size and renderer

  watchSize() {
    this.measureSize();
    new ResizeObserver(() => {
      if (!this.measureSize()) return;
      if (this.atHome && this.frame) this.look(this.home, { jump: false });
      this.drawNow();
      this.app.emit("moved");
      this.refresh();
    }).observe(this.element);
  }

  measureSize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    const same = width === this.width && height === this.height && ratio === this.ratio;
    Object.assign(this, { width, height, ratio });
    for (const canvas of [this.canvas, this.marks].filter(Boolean)) this.fit(canvas);
    return !same;
  }

  fit(canvas) {
    canvas.width = Math.round(this.width * this.ratio);
    canvas.height = Math.round(this.height * this.ratio);
  }

  /** The width of each panel: halves where there are two. */
  get panelWidth() {
    return this.app.beside ? this.width / 2 : this.width;
  }

  get side() {
    return Math.max(40, Math.min(this.panelWidth, this.height));
  }

  boxOf(panel) {
    return [panel * this.panelWidth, 0, this.panelWidth, this.height];
  }

  /** A renderer on a canvas of its own: WebGL2 where a GPU draws, else pixels; told names the one that is wanted. */
  useRenderer(told) {
    this.renderer?.end();
    this.canvas?.remove();
    this.canvas = el("canvas", { "aria-hidden": "true", id: "dots" });
    this.fit(this.canvas);
    this.measured = told ? null : [];
    let made = null;
    if (told !== "pixels") {
      try {
        made = new WebGL(this.canvas);
      } catch {
        made = null; // no GPU, no context: the other one draws
      }
      if (made && !told && made.isSoftware) {
        made.end();
        made = null;
      }
    }
    if (!made) {
      this.canvas = el("canvas", { "aria-hidden": "true", id: "dots" });
      this.fit(this.canvas);
      made = new Pixels(this.canvas);
    } else this.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      if (this.renderer === made) {
        this.useRenderer("pixels");
        this.drawNow();
      }
    });
    this.renderer = made;
    this.element.dataset.renderer = made.name;
    this.layers.replaceChildren(this.canvas, this.marks);
    this.app.emit("renderer", made);
  }

  /** Times a GPU's first frames; where they are slow, the pixels draw the same once, and the faster one stays. */
  compare(milliseconds) {
    this.measured.push(milliseconds);
    if (this.measured.length < 3) return;
    const usual = this.measured.sort((a, b) => a - b)[1];
    this.measured = null;
    if (usual < SLOW) return;
    const canvas = el("canvas", { width: this.canvas.width, height: this.canvas.height });
    const other = new Pixels(canvas);
    const begun = performance.now();
    other.draw(this.order());
    if (performance.now() - begun < usual) this.useRenderer("pixels");
  }

  // Where one looks

  get view() {
    return this.frame ? moved(this.frame, this.since) : null;
  }

  get home() {
    const { anchor, p, z } = this.app.scene.home;
    return { anchor, p, z: z * this.side };
  }

  /** How large a dot is in units of its scale: half of what a cell and all below it take up at home; circles are whole ones. */
  get dotSize() {
    if (this.app.scene.has_centers === false) return 1.84 * this.dotScale;
    return (0.5 / this.app.scene.home.z) * this.dotScale;
  }

  /** How large dots are at most: where a rule goes on below each of them, they mark places, and none is larger than another. */
  get dotMost() {
    return this.app.scene.rule ? DOT * this.dotScale : Infinity;
  }

  /** Looks at a place. What is drawn stays until the answer is there. */
  look(view, { jump = true } = {}) {
    if (this.app.lost && this.frame) return this.app.say("What is shown is not there any more: only what was read of it can be looked at.");
    const { home } = this;
    this.atHome = view.anchor === home.anchor && view.p.every((one, at) => one === home.p[at]) && Math.abs(view.z / home.z - 1) < 1e-9;
    this.frame = view;
    this.since = still();
    this.tracked.clear();
    this.pictures.forEach((picture) => (picture.old = true));
    if (jump) this.app.emit("jumped");
    this.refresh();
  }

  /** Looks elsewhere by gliding there, where the place can be seen from here: `at` is where it is now, `factor` how much closer. */
  async glide(view, { at, factor }) {
    const near = Math.hypot(...at) < 3 * this.side && factor < 60 && factor > 1 / 60;
    if (!near || this.app.still || this.pictures.some((picture) => picture.old)) return this.look(view);
    await this.animate((share, last) => {
      const [was, now] = [factor ** last, factor ** share];
      const place = (part) => at.map((one) => one * (1 - part));
      const [from, to] = [place(last), place(share)];
      this.move(now / was, from, [to[0] - from[0], to[1] - from[1]]);
    });
    this.look(view);
    this.pictures.forEach((picture) => (picture.old = false));
  }

  animate(step, milliseconds = GLIDE) {
    this.gliding?.();
    if (this.app.still) {
      step(1, 0);
      return Promise.resolve();
    }
    return new Promise((done) => {
      let last = 0;
      let ended = false;
      const begun = performance.now();
      const finish = () => {
        if (ended) return;
        ended = true;
        step(1, last);
        this.gliding = null;
        done();
      };
      const turn = (now) => {
        if (ended) return;
        const part = Math.min(1, Math.max(0, (now - begun) / milliseconds));
        if (part >= 1) return finish();
        const share = 1 - (1 - part) ** 3;
        step(share, last);
        last = share;
        requestAnimationFrame(turn);
      };
      this.gliding = finish;
      requestAnimationFrame(turn);
    });
  }

  /** Zooms by a factor about a pixel (from the panel's middle), then shifts. */
  move(factor, about = [0, 0], shift = [0, 0]) {
    if (!this.frame) return;
    this.atHome = false;
    let by = factor;
    if (this.since.k * by > AHEAD || this.since.k * by < 1 / AHEAD) by = 1; // the answer is awaited
    const view = this.view;
    if (by < 1 && view.anchor === "/" && view.z * by < this.home.z * 0.2) by = Math.min(1, (this.home.z * 0.2) / view.z);
    for (const one of new Set([this.since, ...this.tracked, ...this.pictures.map((picture) => picture.move)])) carry(one, by, about, shift);
    this.draw();
    this.app.emit("moved");
    if (this.resting) {
      clearTimeout(this.resting);
      this.resting = setTimeout(() => !this.asking && this.refine(), REST);
    }
    if (isStale(this.since, this.panelWidth, this.height)) this.refresh();
  }

  zoom(factor, about = [0, 0]) {
    return this.animate((share, last) => this.move(factor ** (share - last), about), 160);
  }

  pan(x, y) {
    return this.animate((share, last) => this.move(1, [0, 0], [x * (share - last), y * (share - last)]), 160);
  }

  // Asking

  bodyFor(panel) {
    const { id, beside, axes, color, weight, scene } = this.app;
    const colors = panel === 0 ? scene.colors : scene.beside_colors;
    const weights = panel === 0 ? scene.weights : scene.beside_weights;
    const { px, cap } = this.limits;
    const view = this.view;
    const shared = panel === 1 && axes.kind === "main" && scene.main_axes && scene.beside_dimension === scene.dimension; // both are seen from one side
    return {
      ...(panel === 0 ? { id, ...(beside ? { beside } : {}) } : { id: beside, beside: id }),
      axes: shared ? { kind: "directions", directions: scene.main_axes } : axes,
      color: colors?.includes(color) === false ? colors[0] : color,
      margin: 1.5,
      px,
      cap,
      ...(weights?.includes(weight) ? { weight } : {}),
      view: { ...view, width: this.panelWidth, height: this.height },
    };
  }

  /** What the second panel looks at while the first one has a view. */
  viewBeside(view) {
    return this.app.partners.view(view, this.app.axes);
  }

  /** The question of a panel, whole. */
  async questionFor(panel) {
    const body = this.bodyFor(panel);
    return panel === 0 ? body : { ...body, view: await this.viewBeside(body.view) };
  }

  /** Down to which size cells are asked for, and how many at most; told by the address, or as fine as is quick. */
  get limits() {
    const { px, cap } = this.app.limits;
    if (px) return { px, cap: cap ?? 200_000 };
    return { px: this.px ?? COARSE, cap: cap ?? (this.px === FINE ? MANY : 200_000) };
  }

  /** How many dots finer ones would be, and how long they would take: their number grows by no more than with the area. */
  finer() {
    const dots = this.pictures.reduce((sum, { cut }) => sum + cut.count, 0);
    const { px } = this.pictures[0].asked;
    const times = (px / FINE) ** 1.6;
    return { px, dots: dots * times, milliseconds: this.milliseconds * times, exact: this.pictures.every(({ cut }) => !cut.header.coarse) };
  }

  /** Takes finer dots where these are few; at rest where they are not too many. */
  refine() {
    clearTimeout(this.resting);
    if (this.app.limits.px || !this.pictures.length) return;
    const { px, dots, milliseconds, exact } = this.finer();
    if (px === FINE) {
      if (dots > FEW) this.px = COARSE; // the next answer, while one moves, is a quick one
      return;
    }
    const rest = () => {
      this.px = FINE;
      this.refresh();
    };
    if (exact && dots < FEW) rest();
    else if (exact && dots < MANY && milliseconds < PATIENCE) this.resting = setTimeout(rest, REST);
  }

  /** Asks for what is looked at now; while an answer is awaited, once more after it. */
  refresh() {
    if (!this.frame || !this.app.scene || this.app.lost || this.width < 2 || this.height < 2) return;
    if (this.asking) {
      this.again = true;
      return;
    }
    this.ask();
  }

  /** Forgets what is awaited: another hierarchy is looked at. */
  forget() {
    this.asking?.abort();
    this.asking = null;
    this.again = false;
    this.gliding?.();
    this.pictures.forEach(({ cut }) => this.renderer.release(cut));
    this.pictures = [];
    this.frame = null;
    this.px = COARSE;
    clearTimeout(this.resting);
    this.resting = 0;
    this.draw();
  }

  async ask() {
    const control = new AbortController();
    this.asking = control;
    this.again = false;
    const frame = this.frame;
    const panels = this.app.beside ? [0, 1] : [0];
    const bodies = panels.map((panel) => this.bodyFor(panel));
    const pending = panels.map(() => still());
    pending.forEach((move) => this.tracked.add(move));
    this.element.setAttribute("aria-busy", "true");
    try {
      if (bodies[1]) bodies[1].view = await this.viewBeside(bodies[1].view);
      if (this.asking !== control) return;
      const options = { signal: control.signal, patient: true };
      const begun = performance.now();
      const answers = await Promise.all(bodies.map((body) => askBytes("/api/cut", body, options)));
      if (this.asking !== control) return;
      const cuts = answers.map(readCut);
      if (this.frame === frame) this.take(cuts, { pending, bodies, milliseconds: performance.now() - begun });
      else this.again = true;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.again = false;
      this.app.refused(error, bodies[0]);
    } finally {
      pending.forEach((move) => this.tracked.delete(move));
      if (this.asking === control) {
        this.asking = null;
        this.element.setAttribute("aria-busy", "false");
        if (this.again || (this.frame && isStale(this.since, this.panelWidth, this.height))) this.refresh();
      }
    }
  }

  /** Takes an answer over: its frame, its dots; what was moved meanwhile has been moved along. */
  take(cuts, { pending, bodies, milliseconds }) {
    const before = this.pictures;
    const { anchor, p, z } = cuts[0].header;
    this.frame = { anchor, p, z };
    this.since = pending[0];
    this.pictures = cuts.map((cut, panel) => ({ cut, move: pending[panel], asked: bodies[panel], places: new Map(), placed: "" }));
    this.compareHere(cuts);
    this.paint();
    before.forEach(({ cut }) => this.renderer.release(cut));
    this.milliseconds = milliseconds;
    this.drawNow();
    this.element.dataset.answers = String(Number(this.element.dataset.answers ?? 0) + 1);
    this.app.emit("cut", this.pictures);
    this.refine();
    if (bodies[1] && anchor !== bodies[0].view.anchor) this.again = true; // the other panel follows into the better frame
    this.place();
  }

  /** Colors by displacement are worked out here where the server has no such colors. */
  compareHere(cuts) {
    const { color, scene } = this.app;
    if (cuts.length === 2 && color === "displacement" && !scene.colors.includes(color)) compareCuts(cuts, { factor: scene.scale_factor });
  }

  /** Colors of all dots, anew for another theme. */
  paint() {
    for (const picture of this.pictures) {
      picture.table = tableOf(picture.cut.header.color, this.app.palette);
      picture.colors = colorsOf(picture.cut, picture.table);
      picture.dim = null;
      picture.treeColors = null;
    }
  }

  /** Asks where cells are that are marked, and cells whose names are written on the map. */
  async place() {
    for (const picture of this.pictures) {
      const wanted = this.app.marked(picture);
      const key = wanted.join(" ");
      if (!wanted.length || picture.placed === key) continue;
      picture.placed = key;
      const { id, axes, view } = picture.asked;
      const missing = wanted.filter((address) => !picture.places.has(address));
      if (!missing.length) continue;
      try {
        const { x, y, r } = await askJson("/api/place", { id, axes, view, addresses: missing });
        missing.forEach((address, at) => picture.places.set(address, x[at] === null ? null : [x[at], y[at], r[at]]));
      } catch (error) {
        if (error.gone || error.status === 503) this.app.refused(error);
        else missing.forEach((address) => picture.places.set(address, null)); // one that is not there has no place
      }
      this.draw();
    }
  }

  /** Where a cell is on the screen: [x, y, r] from the panel's middle, or null. */
  placeOf(picture, address) {
    const { move, cut, places } = picture;
    let at = places.get(address);
    if (!at) {
      const dot = cut.dotFor(address);
      if (dot === null) return null;
      at = [cut.x[dot], cut.y[dot], cut.r[dot]];
    }
    return [at[0] * move.k + move.x, at[1] * move.k + move.y, at[2] * move.k];
  }

  // Drawing

  order() {
    const background = packHex(this.app.ground);
    const bright = this.app.emphasis;
    return {
      ratio: this.ratio,
      size: this.dotSize,
      most: this.dotMost,
      background,
      dim: this.app.dim,
      pictures: this.pictures.map((picture, panel) => {
        const own = this.app.partners.in(panel, bright);
        const range = own === null ? null : picture.cut.rangeOf(own);
        let dimmed = null;
        if (range && range[1] - range[0] > 1 && range[1] - range[0] < picture.cut.count) {
          if (this.renderer.name === "pixels") picture.dim ??= colorsOf(picture.cut, picture.table.map((color) => mixed(color, background, this.app.dim)));
          dimmed = { colors: picture.dim, first: range[0], end: range[1] };
        }
        return { cut: picture.cut, colors: picture.colors, move: picture.move, box: this.boxOf(panel), dimmed };
      }),
    };
  }

  draw() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    cancelAnimationFrame(this.drawing);
    this.drawing = 0;
    if (!this.app.scene || !this.canvas.width || !this.canvas.height) return;
    const begun = performance.now();
    this.renderer.draw(this.order());
    if (this.measured && this.renderer.finish && this.pictures.some(({ cut }) => cut.count > 1000)) {
      this.renderer.finish();
      this.compare(performance.now() - begun);
    }
    this.drawn = performance.now() - begun;
    drawMarks(this);
  }

  // Gestures

  /** The panel under a pixel of the element, and the pixel from its middle. */
  at(event) {
    const { left, top } = this.element.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    const panel = this.app.beside && x >= this.panelWidth ? 1 : 0;
    return { panel, x: x - (panel + 0.5) * this.panelWidth, y: y - this.height / 2, left: x, top: y };
  }

  /** The address of the dot under a pixel, or null. */
  addressAt({ panel, x, y }, most = 12) {
    const picture = this.pictures[panel];
    if (!picture || picture.old) return null;
    const { cut, move } = picture;
    const dot = cut.pick((x - move.x) / move.k, (y - move.y) / move.k, { most: most / move.k, factor: this.dotSize / 2, largest: this.dotMost / 2 / move.k });
    return dot < 0 ? null : cut.addressOfDot(dot);
  }

  listen() {
    const { element } = this;
    const held = new Map(); // pointers
    let [began, wandered, spread] = [null, 0, 0];
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
      const by = Math.max(-240, Math.min(240, event.deltaY * lines));
      const { x, y } = this.at(event);
      this.move(Math.exp(-by * (event.ctrlKey ? 0.01 : 0.0022)), [x, y]);
    }, { passive: false });
    element.addEventListener("pointerdown", (event) => {
      if (event.button > 1) return;
      element.setPointerCapture(event.pointerId);
      this.gliding?.();
      held.set(event.pointerId, this.at(event));
      [began, wandered] = [this.at(event), 0];
      spread = spreadOf(held);
    });
    element.addEventListener("pointermove", (event) => {
      const now = this.at(event);
      const before = held.get(event.pointerId);
      if (!before) {
        this.app.hoverIn(now.panel, this.addressAt(now), "stage", now);
        return;
      }
      held.set(event.pointerId, now);
      const [dx, dy] = [(now.left - before.left) / held.size, (now.top - before.top) / held.size];
      wandered += Math.abs(now.left - before.left) + Math.abs(now.top - before.top);
      if (wandered < 4) return;
      element.dataset.held = "";
      const wide = spreadOf(held);
      const factor = held.size > 1 && spread > 0 && wide > 0 ? wide / spread : 1;
      spread = wide;
      const all = [...held.values()];
      const about = [0, 1].map((axis) => all.reduce((sum, one) => sum + (axis ? one.y : one.x), 0) / all.length);
      this.move(factor, about, [dx, dy]);
    });
    const release = (event) => {
      if (!held.delete(event.pointerId)) return;
      spread = spreadOf(held);
      if (held.size) return;
      delete element.dataset.held;
      if (event.type === "pointerup" && wandered < 4 && began) this.app.selectIn(began.panel, this.addressAt(began, 16));
    };
    element.addEventListener("pointerup", release);
    element.addEventListener("pointercancel", release);
    element.addEventListener("pointerleave", () => this.app.hover(null, "stage"));
    element.addEventListener("dblclick", (event) => {
      const { x, y } = this.at(event);
      this.zoom(event.shiftKey ? 1 / 3 : 3, [x, y]);
    });
    element.addEventListener("focus", () => this.draw());
    element.addEventListener("blur", () => this.draw());
  }

  closer(factor = STEP) {
    return this.zoom(factor);
  }

  farther(factor = STEP) {
    return this.zoom(1 / factor);
  }
}

const spreadOf = (held) => {
  if (held.size < 2) return 0;
  const [first, second] = [...held.values()];
  return Math.hypot(first.left - second.left, first.top - second.top);
};
