// Take away: a picture at any size, the figure as SVG, the numbers behind it, a link.

import { askBlob, askBytes } from "./api.js";
import { readCut } from "./cut.js";
import { copy, el, fill, save } from "./dom.js";
import { scaleBar, still } from "./frames.js";
import { drawCircles, drawNames } from "./marks.js";
import { colorsOf, packHex, tableOf } from "./palettes.js";
import { Pixels } from "./pixels.js";
import { count, power, visible } from "./words.js";

const SIDE_MOST = 12_000;
const FINE = 1.25; // pixels of the screen: what a picture is drawn down to
const FIGURE_MOST = 100_000; // circles of a figure
const CAP_MOST = 1_000_000; // dots of a picture

export function takingPanel(app, place) {
  const wide = el("input", { type: "number", min: 16, max: SIDE_MOST, value: 2400, "aria-label": "Width in pixels" });
  const high = el("input", { type: "number", min: 16, max: SIDE_MOST, value: 1500, "aria-label": "Height in pixels" });
  const bar = el("input", { type: "checkbox", checked: true });
  const told = el("div", { "aria-live": "polite" });
  const which = el("select", {});
  const whichOf = el("label", { class: "row faint", hidden: true }, "figure and numbers of", which);
  const bounded = (field) => Math.max(16, Math.min(SIDE_MOST, Math.round(Number(field.value) || 0)));
  const name = (suffix, id = app.id) => `${(id ?? "cells").replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 60)}${suffix}`;

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
      [wide.value, high.value] = [width, height];
      const blob = await drawPicture(app, { width, height, told: bar.checked });
      save(blob, name(".png"));
      return `${count(width)} × ${count(height)} pixels, ${count(blob.size)} bytes`;
    });

  const figure = (form, suffix) =>
    doing("asking …", async () => {
      const panel = app.beside ? Number(which.value) : 0;
      const { blob } = await askBlob("/api/export", { ...(await app.stage.questionFor(panel)), form });
      save(blob, name(suffix, panel ? app.beside : app.id));
      return `${count(blob.size)} bytes`;
    });

  const button = (words, done) => el("button", { type: "button", class: "plain", on: { click: done } }, words);
  fill(
    place,
    el("h3", {}, "Picture"),
    el("div", { class: "row wrap" }, wide, "×", high, el("button", { type: "button", class: "main", on: { click: picture } }, "save PNG")),
    el("label", { class: "row faint" }, bar, "with the name and the scale bar"),
    el("h3", {}, "Figure"),
    whichOf,
    el("div", { class: "actions" }, button("SVG of this view", () => figure("svg", ".svg")), button("SVG of the whole", () => figure("svg-whole", "-whole.svg"))),
    el("p", { class: "prose" }, `At most ${count(FIGURE_MOST)} circles: of more cells the largest are split first, and the figure says so.`),
    el("h3", {}, "Numbers behind it"),
    el("p", { class: "prose" }, "A row a cell: address, level, name, center and scale in the hierarchy's own coordinates, what colors it, where it is drawn."),
    el("div", { class: "actions" }, button("CSV", () => figure("csv", ".csv")), button("Parquet", () => figure("parquet", ".parquet"))),
    el("h3", {}, "Link to this view"),
    el("p", { class: "prose" }, "Without the token: it works in this tab's explorer, and for whoever starts one of their own on this store at this port."),
    el("div", { class: "actions" }, button("copy the link", (event) => copy(location.origin + location.pathname + app.link(), event.currentTarget))),
    told,
  );
  app.on("opened", ({ same }) => {
    if (same) return;
    whichOf.hidden = !app.beside;
    fill(which, [app.id, app.beside].filter(Boolean).map((id, panel) => el("option", { value: String(panel) }, visible(id))));
  });
  return { picture };
}

/** Draws the view at another size; all in one task after the cells are there, so that no frame comes between. */
export async function drawPicture(app, { width, height, told }) {
  const { stage } = app;
  const factor = Math.min(width / stage.width, height / stage.height);
  const panels = stage.pictures.length;
  const asked = await Promise.all(stage.pictures.map((_, panel) => stage.questionFor(panel)));
  const bodies = asked.map((body) => {
    return { ...body, px: Math.max(1, FINE * factor), cap: CAP_MOST, margin: 1.1, view: { ...body.view, z: body.view.z * factor, width: width / panels, height } };
  });
  const cuts = (await Promise.all(bodies.map((body) => askBytes("/api/cut", body)))).map(readCut);
  stage.compareHere(cuts);
  const canvas = el("canvas", { width, height });
  [canvas.width, canvas.height] = [width, height];
  const pictures = cuts.map((cut, panel) => ({ cut, colors: colorsOf(cut, tableOf(cut.header.color, app.palette)), move: still(), box: [(panel * width) / panels, 0, width / panels, height], dimmed: null }));
  new Pixels(canvas).draw({ pictures, ratio: 1, size: stage.dotSize, most: stage.dotMost * Math.max(1, factor), background: packHex(app.ground), dim: 0 });
  pictures.forEach((_, panel) => writeNames(app, canvas, { panel, panels, factor }));
  if (told) writeBar(app, canvas, { cuts, factor });
  return new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("the browser makes no picture of this size; ask for a smaller one"))), "image/png"));
}

/** The names on the map, and the circles of cells without centers, as they stand on it now. */
function writeNames(app, canvas, { panel, panels, factor }) {
  const context = canvas.getContext("2d");
  const [width, height] = [canvas.width / panels, canvas.height];
  context.save();
  context.beginPath();
  context.rect(panel * width, 0, width, height);
  context.clip();
  context.translate((panel + 0.5) * width, height / 2);
  context.scale(factor, factor);
  const drawer = { context, stage: app.stage, picture: app.stage.pictures[panel], app, width: width / factor, height: height / factor };
  if (app.scene.has_centers === false) drawCircles(drawer);
  if (app.labels) drawNames(drawer);
  context.restore();
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
