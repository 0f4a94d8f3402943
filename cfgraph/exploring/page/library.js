// The library: which hierarchies there are, and which one is looked at.

import { askJson } from "./api.js";
import { el, fill, find, named } from "./dom.js";
import { count, visible } from "./words.js";

export class Library {
  constructor(app) {
    this.app = app;
    this.dialog = find("library");
    this.there = [];
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.close());
    this.dialog.addEventListener("cancel", (event) => !app.scene && event.preventDefault());
  }

  /** What the server says of the hierarchies; nothing is counted for it. */
  async read() {
    const found = await askJson("/api/hierarchies", undefined, { patient: true });
    this.there = Array.isArray(found) ? found : found.hierarchies;
    this.about = Array.isArray(found) ? {} : found;
    return this.there;
  }

  /** Opens the list; `words` say why, where somebody asked for what is not there. */
  async show(words = null) {
    if (!this.dialog.open) this.dialog.showModal();
    this.sought ??= el("input", { type: "search", placeholder: "filter by name", "aria-label": "Filter", on: { input: () => this.list() } });
    this.place ??= el("div", { class: "inside" });
    const close = el("button", { type: "button", class: "icon", "aria-label": "Close", on: { click: () => this.close() } }, "✕");
    fill(this.dialog, el("header", {}, el("h2", { id: "library-title" }, "Hierarchies"), this.sought, this.app.scene ? close : null), this.place);
    this.words = words;
    fill(this.place, el("p", { class: "prose faint" }, "reading …"));
    try {
      await this.read();
      this.list();
    } catch (error) {
      fill(this.place, this.app.wrong(error));
    }
    this.sought.focus();
  }

  list() {
    const { app } = this;
    const text = this.sought.value.trim().toLowerCase();
    const shown = this.there.filter(({ id, origin }) => `${id} ${origin ?? ""}`.toLowerCase().includes(text));
    fill(
      this.place,
      this.words && el("div", { class: "wrong", role: "alert" }, this.words),
      el("p", { class: "faint" }, this.about.store || this.about.file ? named(visible(this.about.store ?? this.about.file)) : ""),
      this.there.length === 0 && el("p", { class: "prose" }, "There is none yet. `cfgraph ingest ifs fern --as fern` makes one; `make demo` several."),
      this.there.length > 0 && shown.length === 0 && el("p", { class: "prose" }, "None has this in its name."),
      el("ul", { class: "library-list" }, shown.slice(0, 500).map((one) => this.line(one, app))),
      shown.length > 500 && el("p", { class: "faint" }, `and ${count(shown.length - 500)} more: filter by name`),
    );
  }

  line(one, app) {
    const about = [
      one.origin && `from ${visible(one.origin)}`,
      one.dimension !== null && one.dimension !== undefined && (one.dimension ? `${one.dimension} dimension${one.dimension === 1 ? "" : "s"}` : "no centers"),
      one.arity && `${count(one.arity)} children`,
      one.cells !== null && one.cells !== undefined && `${count(one.cells)} cells`,
      one.depth !== null && one.depth !== undefined && `to level ${one.depth}`,
      one.state && one.state !== "complete" && visible(one.state),
      one.created && visible(String(one.created)).slice(0, 16),
    ].filter(Boolean);
    const other = app.scene && one.id !== app.id;
    return el(
      "li",
      { "aria-current": one.id === app.id ? "true" : null },
      el("button", { type: "button", class: "open", on: { click: () => this.pick({ id: one.id }) } }, named(visible(one.id)), el("span", { class: "faint" }, about.join(" · "))),
      el(
        "div",
        { class: "row beside" },
        one.truth && el("button", { type: "button", class: "plain faint", on: { click: () => this.pick({ id: one.truth, beside: one.id }) } }, "beside its truth"),
        other && one.dimension === app.scene.dimension && el("button", { type: "button", class: "plain faint", on: { click: () => this.pick({ id: app.id, beside: one.id, keep: true }) } }, "beside ", named(visible(app.id).slice(0, 24))),
      ),
    );
  }

  pick(what) {
    this.close();
    this.app.open(what);
  }

  close() {
    if (this.dialog.open) this.dialog.close();
    find("stage").focus({ preventScroll: true });
  }
}
