// Beside: two hierarchies, linked by address, each in its own frame; and where they differ most.

import { askJson } from "./api.js";
import { el, fill, named } from "./dom.js";
import { brief, count, shortAddress, value, visible } from "./words.js";

const SHOWN = 40;

export function besidePanel(app, place) {
  let asked = null;

  async function show() {
    asked?.abort();
    if (!app.beside) return;
    const list = el("div", { "aria-live": "polite" }, el("p", { class: "prose" }, "looking …"));
    const words = { displacement: "displacement", residual: "residual's error", error: "the rule's error" };
    const color = (mode) => el("button", { type: "button", class: "plain", data: { mode }, on: { click: () => app.useColor(mode) } }, words[mode]);
    const colors = el("div", { class: "actions", role: "group", "aria-label": "Color by" }, app.modes.filter((mode) => words[mode]).map(color));
    fill(
      place,
      el("h2", {}, named(visible(app.id)), " beside ", named(visible(app.beside))),
      el("p", { class: "prose" }, `Both maps look at the cell of the same ${app.scene.linked_by}, each in its own frame: what is off above it does not move what is seen.`),
      el("h3", {}, "Color by"),
      colors,
      el("h3", {}, "Where they differ most", el("span", {}, "residual off by")),
      app.scene.worst_among && el("p", { class: "faint" }, `Among the first levels, ${count(app.scene.worst_among)} cells at most: what lies deeper is told by its color, where one looks.`),
      list,
      el("h3", {}, "Otherwise"),
      el("div", { class: "actions" }, el("button", { type: "button", class: "plain", on: { click: () => app.open({ id: app.beside, beside: app.id, keep: true }) } }, "swap"), el("button", { type: "button", class: "plain", on: { click: () => app.open({ id: app.id, keep: true }) } }, "only the first")),
    );
    tell();
    asked = new AbortController();
    try {
      const worst = await askJson("/api/worst", { id: app.id, beside: app.beside, count: SHOWN }, { signal: asked.signal });
      fill(
        list,
        worst.length === 0 && el("p", { class: "prose" }, "Nowhere: no cell of both differs."),
        el("ol", { class: "list" }, worst.map((one) => el("li", {}, el("button", { type: "button", class: "link", title: one.in_scale === null ? null : `${value(one.in_scale)} of its scale from where the other has it`, on: { click: () => app.goTo(one.address), pointerenter: () => app.hover(one.address, "list"), pointerleave: () => app.hover(null, "list") } }, one.name ? named(brief(one.name)) : shortAddress(one.address, 30)), el("span", { class: "faint" }, value(one.residual_error, 3))))),
      );
    } catch (error) {
      if (error.name !== "AbortError") fill(list, app.wrong(error));
    }
  }

  const tell = () => {
    for (const button of place.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === app.color));
  };

  app.on("colored", tell);
  return { shown: show };
}
