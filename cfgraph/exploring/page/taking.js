// Take away: a picture at any size, the figure as SVG, the numbers behind it, a link.

import { askBlob, askBytes } from "./api.js";
import { readCut } from "./cut.js";
import { copy, el, fill, save } from "./dom.js";
import { scaleBar, still } from "./frames.js";
import { colorsOf, packHex, tableOf } from "./palettes.js";
import { Pixels } from "./pixels.js";
import { count, power, visible } from "./words.js";

const SIDE_MOST = 12_000;
const FINE = 1.25; // pixels of the screen: what a picture is drawn down to
const CAP_MOST = 1_000_000; // dots of a picture

export function takingPanel(app, place) {
  const wide = el("input", { type: "number", min: 16, max: SIDE_MOST, value: 2400, "aria-label": "Width in pixels" });
  const high = el("input", { type: "number", min: 16, max: SIDE_MOST, value: 1500, "aria-label": "Height in pixels" });
  const bar = el("input", { type: "checkbox", checked: true });
  const told = el("div", { "aria-live": "polite" });
  const bounded = (field) => Math.max(16, Math.min(SIDE_MOST, Math.round(Number(field.value) || 0)));
  const name = (suffix) => `${(app.id ?? "cells").replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 60)}${suffix}`;

  async function doing(words, work) {
    fill(told, el("p", { class: "prose" }, words));
    try {
      fill(told, el("p", { class: "prose" }, await work()));
    } catch (error) {
      fill(told, app.wrong(error));
    }
  }

  const picture = () =>
    doing("drawing …", async () => {
      const [width, height] = [bounded(wide), bounded(high)];
      const blob = await drawPicture(app, { width, height, told: bar.checked });
      save(blob, name(".png"));
      return `${count(width)} × ${count(height)} pixels, ${count(blob.size)} bytes`;
    });

  const figure = (form, suffix) =>
    doing("asking …", async () => {
      const { blob } = await askBlob("/api/export", { ...app.stage.bodyFor(0), form });
      save(blob, name(suffix));
      return `${count(blob.size)} bytes`;
    });

  const button = (words, done) => el("button", { type: "button", class: "plain", on: { click: done } }, words);
  fill(
    place,
    el("h3", {}, "Picture"),
    el("div", { class: "row wrap" }, wide, "×", high, el("button", { type: "button", class: "main", on: { click: picture } }, "save PNG")),
    el("label", { class: "row faint" }, bar, "with the name and the scale bar"),
    el("h3", {}, "Figure"),
    el("div", { class: "actions" }, button("SVG of this view", () => figure("svg", ".svg")), button("SVG of the whole", () => figure("svg-whole", "-whole.svg"))),
    el("h3", {}, "Numbers behind it"),
    el("p", { class: "prose" }, "A row a cell: address, level, name, center and scale in the hierarchy's own coordinates, what colors it, where it is drawn."),
    el("div", { class: "actions" }, button("CSV", () => figure("csv", ".csv")), button("Parquet", () => figure("parquet", ".parquet"))),
    el("h3", {}, "Link to this view"),
    el("p", { class: "prose" }, "Without the token: it works in this tab's explorer, and for whoever starts one of their own on this store at this port."),
    el("div", { class: "actions" }, button("copy the link", (event) => copy(location.origin + location.pathname + app.link(), event.currentTarget))),
    told,
  );
  return { picture };
}

/** Draws the view at another size; all in one task after the cells are there, so that no frame comes between. */
export async function drawPicture(app, { width, height, told }) {
  const { stage } = app;
  const factor = Math.min(width / stage.width, height / stage.height);
  const panels = stage.pictures.length;
  const bodies = stage.pictures.map((_, panel) => {
    const body = stage.bodyFor(panel);
    return { ...body, px: Math.max(1, FINE * factor), cap: CAP_MOST, margin: 1.1, view: { ...body.view, z: body.view.z * factor, width: width / panels, height } };
  });
  const cuts = (await Promise.all(bodies.map((body) => askBytes("/api/cut", body)))).map(readCut);
  stage.compareHere(cuts);
  const canvas = el("canvas", { width, height });
  [canvas.width, canvas.height] = [width, height];
  const pictures = cuts.map((cut, panel) => ({ cut, colors: colorsOf(cut, tableOf(cut.header.color, app.palette)), move: still(), box: [(panel * width) / panels, 0, width / panels, height], dimmed: null }));
  new Pixels(canvas).draw({ pictures, ratio: 1, size: stage.dotSize, most: stage.dotMost * Math.max(1, factor), background: packHex(app.ground), dim: 0 });
  if (told) writeBar(app, canvas, { cuts, factor });
  return new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("the browser makes no picture of this size; ask for a smaller one"))), "image/png"));
}

function writeBar(app, canvas, { cuts, factor }) {
  const context = canvas.getContext("2d");
  const unit = Math.max(1, factor);
  const { log, pixels } = scaleBar(app.logPixelsOfUnit() + Math.log10(factor), 160 * unit);
  const [right, bottom] = [canvas.width - 22 * unit, canvas.height - 22 * unit];
  context.fillStyle = context.strokeStyle = app.ink.soft;
  context.lineWidth = 1.5 * unit;
  context.beginPath();
  context.moveTo(right - pixels, bottom - 5 * unit);
  context.lineTo(right - pixels, bottom);
  context.lineTo(right, bottom);
  context.lineTo(right, bottom - 5 * unit);
  context.stroke();
  context.font = `${12 * unit}px system-ui, "DejaVu Sans", sans-serif`;
  context.textAlign = "right";
  context.fillText(power(log), right, bottom - 10 * unit);
  context.textAlign = "left";
  context.fillText([app.id, app.beside].filter(Boolean).map(visible).join(" beside "), 22 * unit, bottom);
  const missing = cuts.some(({ header }) => header.coarse || header.left_out);
  if (missing) context.fillText("not all cells are drawn", 22 * unit, bottom - 18 * unit);
}
