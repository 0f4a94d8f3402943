// Beside: two hierarchies, linked by address, each in its own frame; and where they differ most.

import { askJson } from "./api.js";
import { el, fill, named } from "./dom.js";
import { shortAddress, value, visible } from "./words.js";

const SHOWN = 40;

export function besidePanel(app, place) {
  let asked = null;

  async function show() {
    asked?.abort();
    if (!app.beside) return;
    const list = el("div", { "aria-live": "polite" }, el("p", { class: "prose" }, "looking …"));
    const color = (mode) => el("button", { type: "button", class: "plain", on: { click: () => app.useColor(mode) } }, mode);
    fill(
      place,
      el("h2", {}, named(visible(app.id)), " beside ", named(visible(app.beside))),
      el("p", { class: "prose" }, "Both maps look at the cell of the same address, each in its own frame: what is off above it does not move what is seen."),
      el("div", { class: "actions" }, app.modes.filter((mode) => mode === "displacement" || mode === "residual" || mode === "error").map(color), el("button", { type: "button", class: "plain", on: { click: () => app.open({ id: app.beside, beside: app.id, keep: true }) } }, "swap"), el("button", { type: "button", class: "plain", on: { click: () => app.open({ id: app.id, keep: true }) } }, "only the first")),
      el("h3", {}, "Where they differ most", el("span", {}, "residual off by")),
      list,
    );
    asked = new AbortController();
    try {
      const worst = await askJson("/api/worst", { id: app.id, beside: app.beside, count: SHOWN }, { signal: asked.signal });
      fill(
        list,
        worst.length === 0 && el("p", { class: "prose" }, "Nowhere: no cell of both differs."),
        el("ol", { class: "list" }, worst.map((one) => el("li", {}, el("button", { type: "button", class: "link", title: one.in_scale === null ? null : `${value(one.in_scale)} of its scale from where the other has it`, on: { click: () => app.goTo(one.address), pointerenter: () => app.hover(one.address, "list"), pointerleave: () => app.hover(null, "list") } }, one.name ? named(visible(one.name)) : shortAddress(one.address, 30)), el("span", { class: "faint" }, value(one.residual_error, 3))))),
      );
    } catch (error) {
      if (error.name !== "AbortError") fill(list, app.wrong(error));
    }
  }

  return { shown: show };
}
