// The explorer's page: what is open, where one looks, what is selected; its parts hear of it by events.

import { askJson, useToken, watch } from "./api.js";
import { besidePanel } from "./beside.js";
import { MISSING } from "./cut.js";
import { cypherPanel } from "./cypher.js";
import { copyText, el, fill, find, later, named } from "./dom.js";
import { findPanel } from "./finding.js";
import { logPixels, readView, scaleBar, written } from "./frames.js";
import { Keys } from "./keys.js";
import { Library } from "./library.js";
import { livePanel } from "./live.js";
import { drawMarks } from "./marks.js";
import { watchStore } from "./meanwhile.js";
import { Names } from "./names.js";
import { hexOf, ramp } from "./palettes.js";
import { cellPanel } from "./panel.js";
import { Partners } from "./partners.js";
import { Stage } from "./stage.js";
import { takingPanel } from "./taking.js";
import { Trees } from "./trees.js";
import { addressOf, brief, childOf, count, isAddress, levelOf, parentOf, power, several, shortAddress, shorten, slotsOf, value, visible } from "./words.js";

const DIM = { dark: 0.66, light: 0.76, more: 0.4 }; // what is not meant recedes, and can be seen still
const LABELS_MOST = 90; // names asked for to be written on the map
const HITS_PLACED = 400;
const LINK = new Set(["token", "id", "beside", "at", "p", "z", "color", "axes", "widths", "trees", "select", "renderer", "px", "cap"]); // what it says

class App {
  constructor() {
    this.listeners = {};
    Object.assign(this, { scene: null, lost: false, id: null, beside: null, axes: { kind: "main" }, color: "branch", weight: "leaves", labels: true });
    this.limits = { px: null, cap: null }; // as the address says, else as fine as is quick
    this.marks = { path: [], hits: [], changed: [], parents: [] };
    this.selected = null;
    this.hovered = null;
    this.emphasisOf = null;
    this.pathFrom = null;
    this.place = 0; // in the history
    this.last = 0;
  }

  on(event, listener) {
    (this.listeners[event] ??= []).push(listener);
  }

  emit(event, told) {
    for (const listener of this.listeners[event] ?? []) listener(told);
  }

  // How the page looks

  get still() {
    return this.reduced.matches || document.hidden;
  }

  useTheme(theme) {
    this.theme = theme;
    document.documentElement.dataset.theme = theme;
    document.documentElement.dataset.contrast = matchMedia("(prefers-contrast: more)").matches || matchMedia("(forced-colors: active)").matches ? "more" : "usual";
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    this.ink = Object.fromEntries(["ink", "soft", "faint", "line", "accent", "warm", "ground"].map((name) => [name, color(name)]));
    this.ground = this.ink.ground.length === 4 ? `#${[...this.ink.ground.slice(1)].map((sign) => sign + sign).join("")}` : this.ink.ground;
    this.stage?.paint();
    this.stage?.draw();
    this.emit("theme");
  }

  /** Which colors cells have. */
  get palette() {
    return document.documentElement.dataset.contrast === "more" ? `${this.theme}-more` : this.theme;
  }

  /** How far what is not meant is mixed into the ground. */
  get dim() {
    return document.documentElement.dataset.contrast === "more" ? DIM.more : DIM[this.theme];
  }

  /** Which of what is shown is being grown; null where none is. */
  get growing() {
    if (this.lost || !this.scene) return null;
    return this.scene.growing ? this.id : this.scene.beside_growing ? this.beside : null;
  }

  get emphasis() {
    return this.emphasisOf ?? this.selected;
  }

  // What is marked and named

  /** Cells of which the map wants to know where they are. */
  marked(picture) {
    const panel = this.stage.pictures.indexOf(picture);
    const marked = [this.selected, ...this.marks.path.slice(0, 1000), ...this.marks.hits.slice(0, HITS_PLACED), ...this.marks.changed, ...this.marks.parents];
    const wanted = new Set(marked.map((address) => this.partners.in(panel, address)));
    for (const { address, alone } of this.labelled(picture)) if (!alone) wanted.add(address);
    wanted.delete(null);
    return [...wanted];
  }

  /** The largest cells of a picture, of which the names are written where they fit. */
  labelled(picture) {
    if (this.scene.has_centers !== false && !(this.scene.names && this.labels)) return [];
    picture.labelled ??= largest(picture.cut);
    return picture.labelled;
  }

  mark(marks) {
    Object.assign(this.marks, marks);
    this.emit("marked");
    this.stage.draw();
    this.stage.place();
  }

  /** Points at a cell of a panel's hierarchy. */
  hoverIn(panel, address, from, at = null) {
    const first = this.partners.from(panel, address);
    if (address !== null && first === null) this.partners.find(panel, address).catch(() => null); // known when one points at it next
    this.hover(first, from, at, { id: panel ? this.beside : this.id, address });
  }

  /** Selects a cell of a panel's hierarchy. */
  async selectIn(panel, address) {
    let first = this.partners.from(panel, address);
    if (first === null && address !== null) {
      try {
        first = await this.partners.find(panel, address);
      } catch (error) {
        return this.refused(error);
      }
      if (first === null) return this.banner({ words: `Nothing in ${this.id} has the name of this cell.`, kind: "told", brief: true });
    }
    return this.select(first);
  }

  hover(address, from, at = null, shown = { id: this.id, address }) {
    const emphasis = from === "tree" || from === "list" ? address : null;
    const same = address === this.hovered && emphasis === this.emphasisOf;
    if (!same) {
      this.hovered = address;
      const redraw = emphasis !== this.emphasisOf;
      this.emphasisOf = emphasis;
      this.emit("hovered");
      if (redraw) this.stage.draw();
      else drawMarks(this.stage);
    }
    this.showTip(from === "stage" ? shown : null, at);
  }

  showTip(shown, at) {
    const tip = find("tip");
    tip.hidden = !shown || shown.address === null || !at;
    if (tip.hidden) return;
    const { id, address } = shown;
    const key = `${id} ${address}`;
    if (tip.dataset.of !== key) {
      tip.dataset.of = key;
      const name = this.names.get(id, address);
      if (this.scene.names && name === undefined) this.names.want(id, [address]).then(() => tip.dataset.of === key && this.fillTip(tip, shown));
      this.fillTip(tip, shown);
    }
    const { width, height } = this.stage;
    const [x, y] = [Math.min(at.left + 14, width - tip.offsetWidth - 6), at.top + 18 + tip.offsetHeight > height ? at.top - tip.offsetHeight - 10 : at.top + 18];
    tip.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
  }

  fillTip(tip, { id, address }) {
    const name = this.names.get(id, address);
    fill(tip, name ? named(brief(name, 160)) : el("span", { class: "mono" }, shortAddress(address)), el("span", { class: "faint" }, name ? `${shortAddress(address, 36)}, level ${levelOf(address)}` : `level ${levelOf(address)}`));
  }

  select(address) {
    if (this.pathFrom && address !== null) return this.pathFrom(address);
    if (address === this.selected) return;
    this.selected = address;
    this.emphasisOf = null;
    this.emit("selected");
    if (address !== null) {
      this.tabs.show("cell", { focus: false });
      this.say(`Selected ${this.names.get(this.id, address) ?? shortAddress(address)}, level ${levelOf(address)}`);
    }
    this.stage.draw();
    this.stage.place();
    this.settle();
  }

  /** Selects a cell and looks at it, with all that lies below it. */
  async goTo(address) {
    this.select(address);
    const { stage } = this;
    const serial = (this.going = (this.going ?? 0) + 1);
    try {
      const cell = await askJson("/api/cell", { id: this.id, address });
      if (serial !== this.going) return;
      const extent = cell.reach / cell.scale; // in units of its scale
      const unit = 0.45 / this.scene.home.z;
      const circled = this.scene.has_centers === false && (cell.child_count ? 1 : 1.4); // its circle is all of it
      const wide = circled || (Number.isFinite(extent) && extent > 0 ? extent : cell.reach === 0 ? unit * 4 : unit);
      const view = { anchor: address, p: [0, 0], z: (0.45 * stage.side) / wide };
      const at = stage.pictures[0] && !stage.pictures[0].old ? stage.placeOf(stage.pictures[0], address) : null;
      if (at && at[2] > 0) await stage.glide(view, { at: [at[0], at[1]], factor: view.z / at[2] });
      else stage.look(view);
    } catch (error) {
      this.refused(error);
    }
  }

  /** The selected cell's parent, child or neighbour: of those that are drawn, else of those that there are. */
  async step(where) {
    const from = this.selected ?? this.stage.pictures[0]?.cut.header.top ?? "/";
    if (where === "up") return this.select(parentOf(from) ?? "/");
    const tree = this.stage.pictures[0]?.cut.tree;
    const node = tree?.nodeAt(from) ?? null;
    const known = node !== null && levelOf(from) >= tree.cut.topSlots.length;
    if (where === "down") {
      const first = known ? tree.children(node).next().value : undefined;
      return first === undefined ? this.stepTo(from, 0) : this.select(tree.addressOf(first));
    }
    if (from === "/") return;
    const by = where === "next" ? 1 : -1;
    if (known && node > 0) {
      const family = [...tree.children(tree.parent[node])];
      const other = family[family.indexOf(node) + by];
      if (other !== undefined) return this.select(tree.addressOf(other));
    }
    return this.stepTo(parentOf(from), slotsOf(from).at(-1) + by);
  }

  /** Selects a child that is not drawn, if there is one. */
  async stepTo(parent, slot) {
    const before = this.selected;
    try {
      const { child_count: number = 0, children = [] } = await askJson("/api/cell", { id: this.id, address: parent });
      if (this.selected !== before) return; // something else was selected meanwhile
      if (slot < 0 || slot >= number) return this.say(number ? "There is no other child there." : "It has no children.");
      this.select(children.find((child) => child.slot === slot)?.address ?? childOf(parent, slot));
    } catch (error) {
      this.refused(error);
    }
  }

  // Opening, and the link to what is seen

  /** Opens a hierarchy, or two; `keep` stays where one looks. The same again is read anew, and nothing else changes. */
  async open({ id, beside = null, keep = false, given = {}, strange = [] }) {
    const serial = (this.opening = (this.opening ?? 0) + 1);
    const before = keep && this.scene ? { view: this.stage.view, selected: this.selected } : null;
    const same = before !== null && id === this.id && beside === this.beside && !this.lost;
    if (!same) this.told("opening …");
    const axes = readAxes(given.axes) ?? (before ? this.axes : { kind: "main" });
    let scene;
    try {
      scene = await askJson("/api/scene", { id, ...(beside ? { beside } : {}), axes }, { patient: true });
    } catch (error) {
      if (serial !== this.opening) return;
      if (error.status === 400 && axes.kind !== "main") return this.open({ id, beside, keep, given: { ...given, axes: undefined }, strange: [`axes ${visible(shorten(given.axes ?? "", 40))}`] });
      if (!same && [400, 404, 409].includes(error.status)) return this.library.show(this.wrong(error));
      return this.refused(error);
    }
    if (serial !== this.opening) return;
    if (same) return this.renew(scene);
    this.lost = false;
    this.stage.forget();
    Object.assign(this, { scene, id, beside, selected: null, hovered: null, emphasisOf: null, pathFrom: null, marks: { path: [], hits: [], changed: [], parents: [] } });
    this.names.forget();
    this.partners.forget();
    this.showTip(null);
    this.banner(null);
    const { modes } = this;
    if (given.color === "property:label") given = { ...given, color: "label" };
    this.color = modes.includes(given.color) ? given.color : beside && modes.includes("displacement") && !keep ? "displacement" : modes.includes(this.color) ? this.color : modes[0];
    this.axes = axes;
    this.weight = scene.weights?.includes("points") && (given.widths === "points" || this.weight === "points") ? "points" : "leaves";
    document.title = `${visible(id)}${beside ? ` beside ${visible(beside)}` : ""} – cfgraph`;
    find("title").textContent = visible(id) + (beside ? ` · ${visible(beside)}` : "");
    find("stage").setAttribute("aria-label", `Map of the cells of ${visible(id)}${beside ? `, beside ${visible(beside)}` : ""}`);
    fill(find("heads"), beside ? [id, beside].map((one) => el("span", {}, named(visible(one)))) : []);
    find("legend").hidden = false;
    find("measure").hidden = scene.has_centers === false; // lengths mean nothing there
    this.fillControls();
    this.trees.show();
    this.tabs.tell();
    const view = before?.view ?? readView(given, this.stage.side) ?? this.stage.home;
    const unknown = [...strange, ...this.unknownOf(given)];
    if (unknown.length) this.banner({ words: `What this explorer does not know is left out of the link: ${unknown.join(", ")}.`, kind: "told" });
    this.emit("opened", { same });
    this.selected = before?.selected ?? (isAddress(given.select ?? "") ? given.select : null);
    if (this.selected !== null) this.emit("selected");
    this.stage.look(view);
  }

  /** What a link says that means nothing here: it may be of another version, or of a hierarchy that was another one then. */
  unknownOf(given) {
    const text = (name) => `${name} ${visible(shorten(given[name], 40))}`;
    const strange = Object.keys(given).filter((name) => !LINK.has(name));
    const found = strange.slice(0, 5).map((name) => visible(shorten(name, 40)));
    if (given.at !== undefined && !readView(given, this.stage.side)) found.push("where to look, so all of it is shown");
    if (given.color && !this.modes.includes(given.color)) found.push(text("color"));
    if (given.axes && !readAxes(given.axes)) found.push(text("axes"));
    if (given.widths && given.widths !== "leaves" && given.widths !== this.weight) found.push(text("widths"));
    if (given.select && !isAddress(given.select)) found.push(text("select"));
    return found;
  }

  /** Takes over what the same hierarchies are by now. */
  renew(scene) {
    this.scene = scene;
    this.marks.changed = [];
    this.names.forget();
    this.partners.forget();
    this.banner(null);
    if (!this.modes.includes(this.color)) this.color = this.modes[0];
    if (!scene.weights?.includes(this.weight)) this.weight = "leaves";
    this.fillControls();
    this.tabs.tell({ same: true });
    this.emit("opened", { same: true });
    this.stage.refresh();
  }

  /** What is shown is not there any more: what was read of it stays on the screen, and nothing more is asked for. */
  lose(words, { again = false } = {}) {
    this.lost = true;
    this.emit("lost");
    const offer = again ? { again: () => this.open({ id: this.id, beside: this.beside }), offer: "open it again" } : { again: () => this.library.show(), offer: "what is there" };
    this.banner({ words: `${words}. What was read of it stays on the screen.`, ...offer });
  }

  /** The end of the page's address that shows this again: never with the token. */
  link() {
    const { stage } = this;
    const told = new URLSearchParams();
    const put = (name, text) => text !== null && text !== undefined && text !== "" && told.set(name, text);
    put("id", this.id);
    put("beside", this.beside);
    const view = stage.view;
    if (view) for (const [name, text] of Object.entries(written(view, stage.side))) put(name, text);
    put("color", this.color);
    if (this.axes.kind !== "main") put("axes", JSON.stringify(this.axes));
    if (this.weight !== "leaves") put("widths", this.weight);
    put("trees", [...this.trees.kinds].sort().join(","));
    put("select", this.selected);
    for (const [name, text] of Object.entries(this.asked)) put(name, text);
    return `#${told.toString()}`;
  }

  /** Writes the link into the address bar, when nothing has moved for a moment; a jump is a step of the history. */
  settleNow() {
    if (!this.scene || !this.stage.view) return;
    const link = this.link();
    if (link === location.hash) return;
    if (this.jumped && this.entered) {
      this.place += 1;
      this.last = this.place;
      history.pushState({ place: this.place, last: this.last }, "", link);
    } else history.replaceState({ place: this.place, last: this.last }, "", link);
    this.entered = true;
    this.jumped = false;
    this.entry = this.stage.view;
    this.showHistory();
  }

  showHistory() {
    document.querySelector('[data-command="back"]').disabled = this.place <= 0;
    document.querySelector('[data-command="forward"]').disabled = this.place >= this.last;
  }

  async follow(hash) {
    const given = readHash(hash);
    if (given.token) useToken(given.token);
    if (!given.id) return this.library.show();
    this.stage.gliding?.();
    this.trees.use((given.trees ?? "").split(","));
    if (given.id !== this.id || (given.beside ?? null) !== this.beside || !this.scene) return this.open({ id: given.id, beside: given.beside ?? null, given });
    if (given.color && given.color !== this.color) this.useColor(given.color);
    const axes = readAxes(given.axes) ?? { kind: "main" };
    if (JSON.stringify(axes) !== JSON.stringify(this.axes)) await this.useAxes(axes);
    this.selected = isAddress(given.select ?? "") ? given.select : null;
    this.emit("selected");
    const view = readView(given, this.stage.side);
    if (view) this.stage.look(view, { jump: false });
  }

  // Controls

  /** What cells can be colored by: of two hierarchies also by how far they are apart. */
  get modes() {
    const there = (this.scene.colors ?? ["branch"]).filter((mode) => mode !== "property:label"); // which is the label
    return this.beside && !there.includes("displacement") ? [...there, "displacement"] : there;
  }

  fillControls() {
    const { scene } = this;
    const color = find("color");
    const labels = { branch: "branch", level: "level", stored: "stored or not", label: "label", displacement: "displacement", residual: "residual's error", error: "the rule's error" };
    const taken = new Set(this.modes.map((mode) => labels[mode]));
    const called = (mode) => {
      const name = brief(mode.replace(/^property:/, ""), 60);
      return labels[mode] ?? (taken.has(name) ? `${name}, the property` : name);
    };
    fill(color, this.modes.map((mode) => el("option", { value: mode, selected: mode === this.color }, called(mode))));
    color.value = this.color;
    const several = (scene.dimension ?? 0) > 2;
    find("axes-field").hidden = !several;
    find("directions-field").hidden = true;
    if (several) {
      const dimension = Math.min(scene.dimension, 40);
      const name = (column) => visible(scene.columns?.[column] ?? `column ${column}`);
      const pairs = [];
      for (let first = 0; first < dimension && pairs.length < 60; first += 1) for (let second = first + 1; second < dimension && pairs.length < 60; second += 1) pairs.push([first, second]);
      fill(find("axes"), el("option", { value: JSON.stringify({ kind: "main" }) }, "main axes"), pairs.map((pair) => el("option", { value: JSON.stringify({ kind: "columns", columns: pair }) }, `${name(pair[0])}, ${name(pair[1])}`)), el("option", { value: "directions" }, "two directions …"));
      find("axes").value = JSON.stringify(this.axes);
      if (this.axes.kind === "directions") {
        find("axes").value = "directions";
        find("directions-field").hidden = false;
      }
    }
    find("widths").closest("label").hidden = !scene.weights?.includes("points");
    find("widths").value = this.weight;
    find("labels").closest("label").hidden = !scene.names;
  }

  useColor(mode) {
    if (!this.modes.includes(mode)) return;
    this.color = mode;
    find("color").value = mode;
    this.emit("colored");
    this.stage.refresh();
    this.settle();
  }

  /** Looks at all in another plane. */
  async useAxes(axes) {
    const before = this.axes;
    this.axes = axes;
    if (!this.scene) return;
    const { id, beside } = this;
    try {
      const { home } = await askJson("/api/scene", { id, ...(beside ? { beside } : {}), axes }, { patient: true });
      if (this.axes !== axes || this.id !== id || this.beside !== beside) return;
      this.scene.home = home;
      this.stage.look(this.stage.home);
    } catch (error) {
      if (this.axes === axes) this.axes = before;
      this.refused(error);
    }
  }

  /** What the colors mean. */
  showLegend() {
    const picture = this.stage.pictures[0];
    if (!picture) return;
    const { kind, labels = [], low, high, log } = picture.cut.header.color;
    const place = find("keys-of-color");
    if (!this.stage.pictures.some(({ cut }) => cut.count)) return fill(place);
    const dot = (color) => {
      const canvas = el("canvas", { "aria-hidden": "true" });
      [canvas.width, canvas.height] = [1, 1];
      const context = canvas.getContext("2d");
      context.fillStyle = hexOf(color);
      context.fillRect(0, 0, 1, 1);
      return canvas;
    };
    if (kind === "category") {
      const used = usedLabels(this.stage.pictures);
      const shown = labels.map((label, at) => [label, at]).filter(([, at]) => used.has(at));
      fill(place, el("ul", {}, shown.slice(0, 14).map(([label, at]) => el("li", {}, dot(picture.table[at]), named(visible(String(label))))), shown.length > 14 && el("li", { class: "faint" }, `and ${count(shown.length - 14)} more`), used.has(MISSING) && el("li", {}, dot(picture.table[MISSING]), "none")));
    } else if (kind === "number" && low === high) {
      const used = usedLabels(this.stage.pictures);
      const none = used.delete(MISSING);
      fill(place, el("ul", {}, used.size > 0 && el("li", {}, dot(picture.table[0]), none ? value(low, 3) : `${value(low, 3)} everywhere`), none && el("li", {}, dot(picture.table[MISSING]), "none")));
    } else if (kind === "number") {
      const canvas = el("canvas", { class: "ramp", role: "img", "aria-label": `from ${value(low)} to ${value(high)}` });
      [canvas.width, canvas.height] = [256, 1];
      const context = canvas.getContext("2d");
      ramp(this.palette).forEach((color, at) => {
        context.fillStyle = hexOf(color);
        context.fillRect(at, 0, 1, 1);
      });
      fill(place, canvas, el("div", { class: "ends" }, el("span", {}, value(low, 3)), log ? el("span", {}, "log") : null, el("span", {}, value(high, 3))));
    } else fill(place);
  }

  // What is always said

  logScale() {
    const header = this.stage.pictures[0]?.cut.header;
    if (header && Number.isFinite(header.log10_scale) && this.stage.frame.anchor === header.anchor) return header.log10_scale;
    const { unit = 1, scale_factor: factor } = this.scene;
    return Math.log10(unit || 1) + (factor ? levelOf(this.stage.frame.anchor) * Math.log10(factor) : 0);
  }

  logPixelsOfUnit() {
    return logPixels(this.stage.view, this.logScale());
  }

  /** log10 of how much closer this is than home. */
  logZoom() {
    return this.logPixelsOfUnit() - (Math.log10(this.stage.home.z) - Math.log10(this.scene.unit || 1));
  }

  showPlace() {
    if (!this.scene || !this.stage.frame) return;
    const { log, pixels } = scaleBar(this.logPixelsOfUnit());
    find("bar").style.width = `${pixels}px`;
    find("bar-told").textContent = power(log);
    find("zoom-told").textContent = `zoom × ${power(this.logZoom())}`;
  }

  showCut() {
    const { stage } = this;
    const parts = stage.pictures.map((picture) => this.toldOf(picture));
    const alike = parts.length === 2 && parts[0].join() === parts[1].join() && parts[0].every((part) => typeof part === "string");
    if (alike) fill(find("told"), "Each: ", parts[0]);
    else fill(find("told"), parts.flatMap((part, at) => (at ? [" Beside: ", ...part] : part)));
    const { levels } = stage.pictures[0].cut.header;
    find("level-told").textContent = levels ? (levels[0] === levels[1] ? `level ${count(levels[0])}` : `levels ${count(levels[0])} to ${count(levels[1])}`) : "";
    const none = stage.pictures.every(({ cut }) => cut.count === 0);
    find("nothing").hidden = !none;
    if (none) find("nothing").textContent = "No cell lies here. Press H to see all of it.";
    this.showLegend();
    this.showCrumbs();
  }

  toldOf({ cut, asked }) {
    const { coarse, left_out: leftOut, notes = [], stored } = cut.header;
    const { px, cap } = asked;
    const kinds = !this.scene.rule || stored === undefined || stored === cut.count ? "" : stored ? `, ${count(stored)} of them stored` : ", all by the rule";
    const told = [`${several(cut.count, "cell")} drawn${kinds}, down to ${px} pixels.`];
    if (coarse) told.push(" ", el("strong", {}, `${several(coarse, "cell")} ${coarse === 1 ? "is" : "are"} larger and not split: ${count(cap)} dots are the limit; come closer.`));
    if (leftOut) told.push(" ", el("strong", {}, visible(typeof leftOut === "string" ? leftOut : JSON.stringify(leftOut))));
    if (!coarse && !leftOut) told.push(" Nothing is left out.");
    for (const note of notes) if (!(this.scene.notes ?? []).includes(note)) told.push(" ", visible(note)); // the panel tells the others
    return told;
  }

  showCrumbs() {
    const picture = this.stage.pictures[0];
    if (!picture) return;
    const address = this.stage.frame.anchor;
    const slots = slotsOf(address);
    const cells = [["/", "all"], ...slots.map((slot, at) => [addressOf(slots.slice(0, at + 1)), String(slot)])];
    const room = Math.max(4, Math.floor((find("crumbs").clientWidth || 300) / (this.scene.names ? 90 : 30)));
    const cut = cells.length > room;
    const [head, tail] = cut ? [cells.slice(0, 1), cells.slice(cells.length - (room - 2))] : [cells, []];
    if (this.scene.names) this.names.want(this.id, [...head, ...tail].map(([one]) => one)).then((news) => news && this.fillCrumbs({ address, cells, head, tail }));
    this.fillCrumbs({ address, cells, head, tail });
  }

  fillCrumbs({ address, cells, head, tail }) {
    const crumb = ([one, slot]) => {
      const name = this.names.get(this.id, one);
      return el("li", {}, el("button", { type: "button", "aria-current": one === address ? "location" : null, title: shortAddress(one, 80), on: { click: () => this.goTo(one) } }, name && one !== "/" ? named(visible(name)) : slot));
    };
    const gap = cells.length - head.length - tail.length;
    fill(find("crumbs"), el("ol", {}, head.map(crumb), tail.length > 0 && el("li", { class: "gap" }, `… ${several(gap, "level")} …`), tail.map(crumb)));
  }

  told(words) {
    fill(find("told"), words);
  }

  say(words) {
    find("spoken").textContent = words;
  }

  // What goes wrong

  /** An error as a paragraph. */
  wrong(error) {
    return el("div", { class: "wrong", role: "alert" }, visible(error.message ?? String(error)), error.remedy ? el("span", { class: "faint" }, visible(error.remedy)) : null);
  }

  /** Tells something over the map, until it is dismissed; what is `brief` goes by itself, and takes nobody's place. */
  banner(told) {
    const place = find("banner");
    if (told?.brief) {
      if (!place.hidden && place.dataset.kind !== "told") return this.say(told.words);
      clearTimeout(this.brief);
      this.brief = setTimeout(() => this.banner(null), 2500);
    } else clearTimeout(this.brief);
    place.hidden = !told;
    if (!told) return fill(place);
    place.dataset.kind = told.kind ?? "wrong";
    fill(place, el("p", {}, visible(told.words), told.remedy ? ` ${visible(told.remedy)}` : ""), told.again && el("button", { type: "button", class: "plain", on: { click: told.again } }, told.offer ?? "try again"), el("button", { type: "button", class: "quiet", on: { click: () => this.banner(null) } }, "dismiss"));
  }

  /** Tells what was refused, and goes on where that can be done. */
  refused(error, body = null) {
    if (error.name === "AbortError") return;
    if (error.gone && this.scene) return this.lose(error.message, { again: error.status === 409 });
    const told = { words: error.message ?? String(error), remedy: error.remedy };
    if (error.status === 404 && body && this.scene && body.view?.anchor !== "/") {
      told.words = `${told.words}; all of it is shown.`;
      this.banner(told);
      this.stage.look(this.stage.home);
      return;
    } else if (error.status === 404) Object.assign(told, { again: () => this.library.show(), offer: "what is there" });
    else if (error.status !== 400) Object.assign(told, { again: () => (this.scene ? this.stage.refresh() : this.follow(location.hash)) });
    this.banner(told);
  }
}

const readHash = (hash) => Object.fromEntries(new URLSearchParams(hash.replace(/^#/, "")));

function readAxes(text) {
  try {
    const found = JSON.parse(text);
    return found && typeof found === "object" && ["main", "columns", "directions"].includes(found.kind) ? found : null;
  } catch {
    return null;
  }
}

function usedLabels(pictures) {
  const used = new Set();
  for (const { cut } of pictures) {
    let last = -1;
    for (let row = 0; row < cut.count; row += 1) if (cut.value[row] !== last) used.add((last = cut.value[row]));
  }
  return used;
}

/** The largest cells of a cut: inner ones by how many dots they hold, and large dots by themselves. */
function largest(cut) {
  const { tree } = cut;
  const found = [];
  for (let node = 1; node < tree.size; node += 1) {
    const dots = tree.end[node] - tree.first[node];
    const alone = tree.next[node] === node + 1;
    if (alone ? cut.r[tree.first[node]] > 6 : dots > cut.count / 300) found.push({ node, dots, alone, size: alone ? cut.r[tree.first[node]] / 1e4 : dots });
  }
  found.sort((a, b) => b.size - a.size || a.node - b.node);
  const inner = found.filter(({ alone }) => !alone).slice(0, LABELS_MOST);
  const outer = found.filter(({ alone }) => alone).slice(0, LABELS_MOST * 2);
  return [...inner, ...outer].map(({ node, dots, alone }) => ({ address: tree.addressOf(node), dots, alone }));
}

/** The side panel: one of several at a time. */
class Tabs {
  constructor(app) {
    this.app = app;
    this.panels = {};
    const makers = [["cell", "Cell", cellPanel], ["find", "Find", findPanel], ["beside", "Beside", besidePanel], ["live", "Live", livePanel], ["cypher", "Cypher", cypherPanel], ["take", "Take away", takingPanel]];
    for (const [name, words, maker] of makers) {
      const panel = el("div", { class: "panel", role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}`, tabIndex: 0, hidden: true });
      const tab = el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, "aria-selected": "false", tabIndex: -1, on: { click: () => this.show(name), keydown: (event) => this.keys(event) } }, words);
      find("tabs").append(tab);
      find("panels").append(panel);
      this.panels[name] = { tab, panel, words, ...maker(app, panel) };
    }
    const grip = find("side-grip");
    let held = null;
    const width = (pixels) => {
      const wide = Math.round(Math.max(240, Math.min(innerWidth * 0.7, pixels)));
      document.documentElement.style.setProperty("--side-width", `${wide}px`);
      grip.setAttribute("aria-valuenow", String(wide));
    };
    grip.addEventListener("pointerdown", (event) => {
      grip.setPointerCapture(event.pointerId);
      held = { x: event.clientX, width: find("side").clientWidth };
    });
    grip.addEventListener("pointermove", (event) => held && width(held.width + held.x - event.clientX));
    grip.addEventListener("pointerup", () => (held = null));
    grip.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: 24, ArrowRight: -24 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      width(find("side").clientWidth + by);
    });
  }

  /** Which panels make sense now. */
  tell({ same = false } = {}) {
    const { growing, beside } = this.app;
    this.panels.beside.tab.hidden = !beside;
    this.panels.live.tab.hidden = growing === null;
    if (beside && this.besideOf !== `${this.app.id} ${beside}`) this.panels.beside.shown();
    this.besideOf = beside ? `${this.app.id} ${beside}` : null;
    const kept = this.current && !this.panels[this.current].tab.hidden ? this.current : "cell";
    this.show(same ? kept : growing !== null ? "live" : beside ? "beside" : kept, { focus: false });
  }

  show(name, { focus = false } = {}) {
    if (focus) this.open();
    this.current = name;
    for (const [one, { tab, panel }] of Object.entries(this.panels)) {
      const is = one === name;
      tab.setAttribute("aria-selected", String(is));
      tab.tabIndex = is ? 0 : -1;
      panel.hidden = !is;
      if (is) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    if (!focus) return;
    const { focus: own, panel } = this.panels[name];
    if (own) own();
    else (panel.querySelector("button, input, select, textarea") ?? panel).focus();
  }

  /** Shows or hides a tab. */
  offer(name, there) {
    this.panels[name].tab.hidden = !there;
    if (!there && this.current === name) this.show("cell");
  }

  open() {
    if (find("main").dataset.side === "closed") this.toggle();
  }

  toggle() {
    const main = find("main");
    const closed = main.dataset.side !== "closed";
    main.dataset.side = closed ? "closed" : "open";
    document.querySelector('[data-command="side"]').setAttribute("aria-pressed", String(!closed));
  }

  keys(event) {
    const there = Object.entries(this.panels).filter(([, { tab }]) => !tab.hidden).map(([name]) => name);
    const at = there.indexOf(this.current);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: there.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const name = there[(to + there.length) % there.length];
    this.show(name);
    this.panels[name].tab.focus();
  }
}

function commandsOf(app) {
  const { stage } = app;
  const open = () => Boolean(app.scene);
  const nudge = (x, y) => () => stage.pan(x * 0.18 * stage.panelWidth, y * 0.18 * stage.height);
  const tree = (where) => () => app.step(where);
  return {
    left: { keys: ["←"], bound: ["ArrowLeft"], told: "move left", group: "The map", where: "map", needs: open, run: nudge(1, 0) },
    right: { keys: ["→"], bound: ["ArrowRight"], told: "move right", group: "The map", where: "map", needs: open, run: nudge(-1, 0) },
    top: { keys: ["↑"], bound: ["ArrowUp"], told: "move up", group: "The map", where: "map", needs: open, run: nudge(0, 1) },
    bottom: { keys: ["↓"], bound: ["ArrowDown"], told: "move down", group: "The map", where: "map", needs: open, run: nudge(0, -1) },
    in: { keys: ["+"], bound: ["+", "="], told: "closer", group: "The map", needs: open, run: () => stage.closer() },
    out: { keys: ["−"], bound: ["-", "_", "−"], told: "farther", group: "The map", needs: open, run: () => stage.farther() },
    home: { keys: ["h", "0"], bound: ["h", "0", "Home"], told: "home: all of it", group: "The map", needs: open, run: () => app.goHome() },
    back: { keys: ["["], bound: ["[", "Backspace"], told: "the view before", group: "The map", run: () => app.place > 0 && history.back() },
    forward: { keys: ["]"], told: "the view after", group: "The map", run: () => app.place < app.last && history.forward() },
    pick: { keys: ["Enter"], told: "select what is in the middle", group: "The map", where: "map", needs: open, run: () => app.pickMiddle() },
    go: { keys: ["g"], told: "go to the selected cell", group: "Cells", needs: open, run: () => app.selected !== null && app.goTo(app.selected) },
    up: { keys: ["u"], told: "the cell above", group: "Cells", needs: open, run: tree("up") },
    down: { keys: ["d"], told: "its first child", group: "Cells", needs: open, run: tree("down") },
    next: { keys: ["n"], told: "the next child", group: "Cells", needs: open, run: tree("next") },
    previous: { keys: ["p"], told: "the child before", group: "Cells", needs: open, run: tree("previous") },
    unselect: { keys: ["Esc"], bound: ["Escape"], told: "select nothing", group: "Cells", run: () => app.escape() },
    treeUp: { keys: ["↑"], bound: ["ArrowUp"], told: "the cell above", group: "In a tree", where: "tree", needs: open, run: tree("up") },
    treeDown: { keys: ["↓"], bound: ["ArrowDown"], told: "its first child", group: "In a tree", where: "tree", needs: open, run: tree("down") },
    treeLeft: { keys: ["←"], bound: ["ArrowLeft"], told: "the child before", group: "In a tree", where: "tree", needs: open, run: tree("previous") },
    treeRight: { keys: ["→"], bound: ["ArrowRight"], told: "the next child", group: "In a tree", where: "tree", needs: open, run: tree("next") },
    treeGo: { keys: ["Enter"], told: "go there", group: "In a tree", where: "tree", needs: open, run: () => app.selected !== null && app.goTo(app.selected) },
    icicle: { keys: ["i"], told: "icicle", group: "Views", run: () => app.trees.toggle("icicle") },
    radial: { keys: ["r"], told: "radial tree", group: "Views", run: () => app.trees.toggle("radial") },
    color: { keys: ["c"], told: "the next color", group: "Views", needs: open, run: () => app.nextColor() },
    larger: { keys: ["."], bound: ["."], told: "larger dots", group: "Views", run: () => app.resizeDots(0.25) },
    smaller: { keys: [","], bound: [","], told: "smaller dots", group: "Views", run: () => app.resizeDots(-0.25) },
    theme: { keys: ["t"], told: "dark or light", group: "Views", run: () => app.switchTheme() },
    side: { keys: ["\\"], told: "side panel", group: "Views", run: () => app.tabs.toggle() },
    map: { keys: ["m"], told: "to the map", group: "The page", run: () => find("stage").focus() },
    choose: { keys: ["o"], told: "open a hierarchy", group: "The page", run: () => app.library.show() },
    find: { keys: ["/", "f"], told: "find a cell", group: "The page", needs: open, run: () => app.tabs.show("find", { focus: true }) },
    cell: { keys: ["l"], told: "the cell panel", group: "The page", needs: open, run: () => app.tabs.show("cell", { focus: true }) },
    cypher: { keys: ["q"], told: "query in Cypher", group: "The page", needs: () => open() && !find("tab-cypher").hidden, run: () => app.tabs.show("cypher", { focus: true }) },
    beside: { keys: ["b"], told: "where two differ most", group: "The page", needs: () => Boolean(app.beside), run: () => app.tabs.show("beside", { focus: true }) },
    take: { keys: ["s"], told: "take it away", group: "The page", needs: open, run: () => app.tabs.show("take", { focus: true }) },
    link: { keys: ["y"], told: "copy the link", group: "The page", needs: open, run: () => app.copyLink() },
    help: { keys: ["?"], told: "these keys", group: "The page", run: () => app.keys.help() },
  };
}

Object.assign(App.prototype, {
  goHome() {
    const { stage } = this;
    const picture = stage.pictures[0];
    const at = picture && !picture.old ? stage.placeOf(picture, "/") : null;
    const home = stage.home;
    if (at && home.anchor === "/") {
      const factor = home.z / at[2];
      return stage.glide(home, { at: [at[0] + home.p[0] * at[2], at[1] - home.p[1] * at[2]], factor });
    }
    return stage.look(home);
  },
  pickMiddle() {
    const address = this.stage.addressAt({ panel: 0, x: 0, y: 0 }, 60);
    this.select(address);
    if (address === null) this.say("No cell is in the middle.");
  },
  escape() {
    if (this.pathFrom) {
      this.pathFrom = null;
      return this.say("No path, then.");
    }
    if (this.marks.path.length || this.marks.hits.length) return this.mark({ path: [], hits: [] });
    this.select(null);
  },
  nextColor() {
    const { modes } = this;
    this.useColor(modes[(modes.indexOf(this.color) + 1) % modes.length]);
    this.say(`color by ${this.color}`);
  },
  resizeDots(by) {
    const field = find("size");
    field.value = String(Math.max(-2, Math.min(3, Number(field.value) + by)));
    field.dispatchEvent(new Event("input"));
  },
  switchTheme() {
    if (matchMedia("(forced-colors: active)").matches) return this.say("The system says which colors there are.");
    const theme = this.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("cfgraph-theme", theme);
    } catch {
      // Not kept, then.
    }
    this.useTheme(theme);
  },
  async copyLink() {
    const copied = await copyText(location.origin + location.pathname + this.link());
    this.banner({ words: copied ? "The link to this view was copied. It has no token." : "The browser does not let this page copy; the address bar has the link.", kind: "told", brief: copied });
  },
});

function begin() {
  const app = new App();
  const given = readHash(location.hash);
  useToken(given.token ?? null);
  app.asked = Object.fromEntries(["renderer", "px", "cap"].filter((name) => given[name]).map((name) => [name, given[name]]));
  if (Number(given.px) > 0) app.limits.px = Number(given.px);
  if (Number(given.cap) > 0) app.limits.cap = Math.floor(Number(given.cap));
  const kept = history.state;
  if (Number.isInteger(kept?.place)) Object.assign(app, { place: kept.place, last: kept.last ?? kept.place });
  if (given.token) {
    const rest = new URLSearchParams(location.hash.slice(1));
    rest.delete("token");
    history.replaceState(kept, "", `#${rest.toString()}`);
  }
  app.reduced = matchMedia("(prefers-reduced-motion: reduce)");
  app.names = new Names(app);
  app.partners = new Partners(app);
  const light = matchMedia("(prefers-color-scheme: light)");
  const forced = matchMedia("(forced-colors: active)");
  const usual = () => {
    let theme = null;
    if (forced.matches) return light.matches ? "light" : "dark"; // the system's colors are all about it
    try {
      theme = localStorage.getItem("cfgraph-theme");
    } catch {
      // As the system has it.
    }
    return theme === "light" || theme === "dark" ? theme : light.matches ? "light" : "dark";
  };
  app.useTheme(usual());
  for (const query of [light, matchMedia("(prefers-contrast: more)"), forced]) query.addEventListener("change", () => app.useTheme(usual()));
  app.library = new Library(app);
  app.on("renderer", ({ name, told }) => {
    find("renderer-told").textContent = name === "webgl" ? "drawn by WebGL2" : "drawn by the processor";
    find("renderer-told").title = told;
  });
  app.stage = new Stage(app);
  app.stage.useRenderer(["webgl", "pixels"].includes(given.renderer) ? given.renderer : null);
  app.trees = new Trees(app);
  watchStore(app);
  app.tabs = new Tabs(app);
  app.settle = later(250, () => app.settleNow());
  app.keys = new Keys(app, commandsOf(app));
  app.on("moved", () => {
    app.showPlace();
    if (app.entry && farFrom(app.entry, app.stage)) app.jumped = true;
    app.settle();
  });
  app.on("jumped", () => {
    app.jumped = true;
    app.showPlace();
    app.settle();
  });
  app.on("linked", () => app.settle());
  app.on("cut", () => {
    app.showCut();
    app.showPlace();
    app.settle();
    if (app.scene.names) app.stage.pictures.forEach((picture) => app.names.want(picture.asked.id, namesFor(app, picture)).then((news) => news && app.emit("names")));
  });
  app.on("names", () => {
    app.stage.draw();
    app.showCrumbs();
  });
  app.on("theme", () => app.scene && app.stage.pictures.length && app.showLegend());
  watch({
    away: (error, seconds) => {
      app.waits = true;
      app.banner({ words: `${error.message}; it is tried again in ${seconds} s.`, remedy: error.remedy });
    },
    back: () => {
      if (app.waits) app.banner(null);
      app.waits = false;
    },
  });
  find("color").addEventListener("change", (event) => app.useColor(event.target.value));
  find("size").addEventListener("input", (event) => {
    app.stage.dotScale = 2 ** Number(event.target.value);
    app.stage.draw();
  });
  find("labels").addEventListener("change", (event) => {
    app.labels = event.target.checked;
    app.stage.draw();
  });
  find("widths").addEventListener("change", (event) => {
    app.weight = event.target.value;
    app.stage.refresh();
  });
  find("axes").addEventListener("change", (event) => {
    find("directions-field").hidden = event.target.value !== "directions";
    if (event.target.value !== "directions") app.useAxes(JSON.parse(event.target.value));
  });
  find("directions").addEventListener("change", (event) => {
    const directions = event.target.value.trim().split("\n").map((line) => line.trim().split(/[\s,;]+/).map(Number));
    const good = directions.length === 2 && directions.every((line) => line.length === app.scene.dimension && line.every(Number.isFinite));
    if (good) app.useAxes({ kind: "directions", directions });
    else app.banner({ words: `Expected two lines of ${app.scene.dimension} numbers each.`, kind: "told" });
  });
  find("skip").addEventListener("click", (event) => {
    event.preventDefault();
    find("stage").focus();
  });
  addEventListener("popstate", (event) => {
    if (Number.isInteger(event.state?.place)) app.place = event.state.place;
    app.jumped = false;
    app.entered = true;
    app.showHistory();
    app.follow(location.hash);
  });
  app.showHistory();
  app.trees.use((given.trees ?? "").split(","));
  if (innerWidth < 860) app.tabs.toggle();
  if (given.id) app.open({ id: given.id, beside: given.beside ?? null, given });
  else app.library.show();
  return app;
}

/** Whether a view is so far from another that it is a step of its own in the history. */
function farFrom(entry, stage) {
  const now = stage.view;
  if (!now) return false;
  if (now.anchor !== entry.anchor) return true;
  const closer = now.z / entry.z;
  const away = Math.hypot(now.p[0] - entry.p[0], now.p[1] - entry.p[1]) * Math.min(now.z, entry.z);
  return closer > 2 || closer < 0.5 || away > 0.5 * stage.side;
}

/** The cells of a picture of which the names are shown, on the map and in the trees. */
function namesFor(app, picture) {
  const wanted = new Set(app.labelled(picture).map(({ address }) => address));
  if (app.trees.kinds.size) {
    const { tree } = picture.cut;
    const wide = tree.begins[picture.cut.count] / 60;
    for (let node = 0; node < tree.size && wanted.size < 480; node += 1) if (tree.begins[tree.end[node]] - tree.begins[tree.first[node]] >= wide || tree.size < 300) wanted.add(tree.addressOf(node));
  }
  return [...wanted];
}

export const app = begin();
