// Finding: by name, by address, by what a property holds. What is found is marked on the map.

import { askJson } from "./api.js";
import { el, fill, named } from "./dom.js";
import { brief, isAddress, several, shortAddress, shorten, value, visible } from "./words.js";

const LIMIT = 200;

export function findPanel(app, place) {
  let asked = null;
  const text = el("input", { type: "search", "aria-label": "What to look for", spellcheck: false, autocomplete: "off" });
  const property = el("select", { "aria-label": "Property" });
  const found = el("div", { "aria-live": "polite" });
  const ways = {};
  const radios = el("div", { class: "radios", role: "radiogroup", "aria-label": "Look for" });
  for (const by of ["name", "address", "property"]) {
    ways[by] = el("input", { type: "radio", name: "by", value: by, on: { change: () => tune() } });
    radios.append(el("label", {}, ways[by], by));
  }
  const way = () => Object.keys(ways).find((by) => ways[by].checked) ?? "address";
  const tune = () => {
    property.hidden = way() !== "property";
    text.placeholder = { name: "part of a name", address: "/0/2/1", property: "3, >= 3, 1..3 or text" }[way()];
  };

  async function look(event) {
    event?.preventDefault();
    const sought = text.value.trim();
    if (!sought || !app.scene) return;
    if (sought.startsWith("/") && way() === "name") ways.address.checked = true;
    tune();
    asked?.abort();
    asked = new AbortController();
    const by = way();
    if (by === "address" && !isAddress(sought)) return fill(found, app.wrong(new Error(`expected an address such as / or /0/2/1, got ${shorten(sought, 60)}`)));
    fill(found, el("p", { class: "prose" }, "looking …"));
    try {
      const body = { id: app.id, text: sought, by, limit: LIMIT, ...(by === "property" ? { property: property.value } : {}) };
      const { hits, more, told } = await askJson("/api/search", body, { signal: asked.signal });
      app.mark({ hits: hits.map(({ address }) => address) });
      fill(
        found,
        el("p", { class: "prose" }, hits.length ? `${more ? `the first ${hits.length}; there are more` : several(hits.length, "cell")}, ringed on the map` : `Nothing was found${told ? `: ${told}` : "."}`),
        el("ol", { class: "list" }, hits.map((hit) => lineOf(hit))),
        hits.length > 0 && el("div", { class: "actions" }, el("button", { type: "button", class: "plain", on: { click: () => { app.mark({ hits: [] }); fill(found); } } }, "clear")),
      );
      if (hits.length === 1) app.goTo(hits[0].address);
    } catch (error) {
      if (error.name !== "AbortError") fill(found, app.wrong(error));
    }
  }

  const lineOf = ({ address, name, value: held }) =>
    el(
      "li",
      {},
      el("button", { type: "button", class: "link", on: { click: () => app.goTo(address), pointerenter: () => app.hover(address, "list"), pointerleave: () => app.hover(null, "list") } }, name ? named(brief(name)) : shortAddress(address, 40)),
      el("span", { class: "faint" }, held !== undefined && held !== null ? value(held) : name ? shortAddress(address, 18) : ""),
    );

  fill(place, el("form", { class: "stack", role: "search", on: { submit: look } }, el("div", { class: "row" }, text, el("button", { type: "submit", class: "main" }, "find")), radios, property), found);
  app.on("opened", ({ same }) => {
    const { names, properties = [] } = app.scene;
    ways.name.disabled = !names;
    ways.property.disabled = !properties.length;
    const before = property.value;
    if (same && !ways[way()].disabled) {
      fill(property, properties.map(({ name }) => el("option", { value: name, selected: name === before }, visible(name))));
      return tune();
    }
    ways[names ? "name" : "address"].checked = true;
    fill(property, properties.map(({ name }) => el("option", { value: name }, visible(name))));
    fill(found);
    tune();
  });
  tune();
  return { focus: () => { text.focus(); text.select(); } };
}
