// Cypher: read only, which the server of the store enforces. Cells that rows name are marked on the map.

import { askJson } from "./api.js";
import { copy, el, fill, named } from "./dom.js";
import { count, several, value, visible } from "./words.js";

export function cypherPanel(app, place) {
  let asked = null;
  let known = [];
  const text = el("textarea", { rows: 9, spellcheck: false, "aria-label": "Cypher, read only", placeholder: "MATCH (c:Cell {key: $id + '/0'}) RETURN c", autocapitalize: "off" });
  const examples = el("select", { "aria-label": "Queries to begin from", on: { change: () => examples.value && (text.value = known[Number(examples.value)].cypher) } });
  const run = el("button", { type: "button", class: "main", on: { click: () => ask() } }, "run");
  const stop = el("button", { type: "button", class: "plain", hidden: true, on: { click: () => asked?.abort() } }, "stop");
  const found = el("div", { "aria-live": "polite" });

  async function ask() {
    if (!text.value.trim()) return;
    asked?.abort();
    asked = new AbortController();
    const { signal } = asked;
    stop.hidden = false;
    run.disabled = true;
    fill(found, el("p", { class: "prose" }, "running …"));
    try {
      show(await askJson("/api/query", { cypher: text.value, parameters: { id: app.id }, limit: 1000 }, { signal }));
    } catch (error) {
      fill(found, error.name === "AbortError" ? el("p", { class: "prose" }, "Stopped.") : app.wrong(error));
    } finally {
      if (asked.signal === signal) {
        stop.hidden = true;
        run.disabled = false;
      }
    }
  }

  function show({ columns, rows, more, notifications = [], hits = {}, seconds }) {
    const here = hits[app.id] ?? [];
    const elsewhere = Object.keys(hits).filter((id) => id !== app.id && hits[id].length);
    app.mark({ hits: here });
    fill(
      found,
      el("p", { class: "prose" }, `${more ? `the first ${count(rows.length)} rows; there are more` : several(rows.length, "row")}, ${value(seconds, 3)} s${here.length ? `; ${several(here.length, "cell")} ringed on the map` : ""}`),
      elsewhere.map((id) => el("p", { class: "faint" }, `${several(hits[id].length, "cell")} of `, el("button", { type: "button", class: "link", on: { click: () => app.open({ id }) } }, named(visible(id))))),
      notifications.map((one) => el("p", { class: "note" }, visible(typeof one === "string" ? one : (one.text ?? one.description ?? one.title ?? JSON.stringify(one))))),
      rows.length > 0 &&
        el(
          "div",
          { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Rows" },
          el("table", {}, el("thead", {}, el("tr", {}, columns.map((column) => el("th", { scope: "col" }, named(visible(column)))))), el("tbody", {}, rows.slice(0, 1000).map((row) => el("tr", {}, row.map((cell) => el("td", { class: typeof cell === "number" ? "number" : null }, named(value(cell)))))))),
        ),
      rows.length > 0 && el("div", { class: "actions" }, el("button", { type: "button", class: "plain", on: { click: (event) => copy([columns, ...rows].map((row) => row.map((cell) => (typeof cell === "object" ? JSON.stringify(cell) : String(cell ?? ""))).map((cell) => cell.replace(/[\t\n\r]/g, " ")).join("\t")).join("\n"), event.currentTarget) } }, "copy the rows")),
    );
  }

  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      ask();
    }
  });
  fill(
    place,
    el("div", { class: "stack" }, examples, text, el("div", { class: "row" }, run, stop, el("span", { class: "faint" }, "Ctrl+Enter; $id is this hierarchy; nothing is written"))),
    found,
  );

  /** Reads the queries, once; where there is no store to ask, there is no panel. */
  async function begin() {
    try {
      known = await askJson("/api/queries");
    } catch {
      known = [];
    }
    fill(examples, el("option", { value: "" }, "queries to begin from …"), known.map(({ title }, at) => el("option", { value: String(at) }, title)));
    app.tabs.offer("cypher", known.length > 0);
  }

  let begun = false;
  app.on("opened", () => {
    if (!begun) begin();
    begun = true;
  });
  return { focus: () => text.focus() };
}
