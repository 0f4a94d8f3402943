// Marks: what is drawn over the dots: names, the path, what a search or a query found, what is selected and what one points at.

import { shorten, visible } from "./words.js";

const FONT = 'system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif';
const INSIDE = 0.45; // of a circle's radius: where a line to it ends, which neighbours would hide at its rim

export function drawMarks(stage) {
  const { marks, app, ratio } = stage;
  const context = marks.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, marks.width, marks.height);
  stage.pictures.forEach((picture, panel) => {
    if (picture.old) return;
    const [left, top, width, height] = stage.boxOf(panel);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.translate(left + width / 2, top + height / 2);
    const drawer = { context, stage, picture, app, width, height, own: (address) => app.partners.in(panel, address) };
    if (app.scene.has_centers === false) drawCircles(drawer);
    if (app.labels) drawNames(drawer);
    drawPath(drawer);
    drawParents(drawer);
    for (const address of app.marks.changed) drawRing(drawer, drawer.own(address), { color: app.ink.warm, wide: 1.5, least: 7 });
    for (const address of app.marks.hits) drawPin(drawer, drawer.own(address));
    if (app.selected !== null) drawRing(drawer, drawer.own(app.selected), { color: app.ink.ink, wide: 2, least: 8, halo: true });
    if (app.hovered !== null && app.hovered !== app.selected) drawRing(drawer, drawer.own(app.hovered), { color: app.ink.accent, wide: 1.5, least: 6, halo: true });
    if (document.activeElement === stage.element && stage.element.matches(":focus-visible")) drawCross(drawer);
    context.restore();
  });
  if (stage.app.beside) {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = app.ink.line;
    context.fillRect(Math.round(stage.panelWidth), 0, 1, stage.height);
  }
}

const radiusOf = (stage, r) => Math.max(0, Math.min(r * stage.dotSize, stage.dotMost) / 2);

function circle(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

/** A ring about a cell; an arrow at the border where the cell lies beyond it. */
function drawRing({ context, stage, picture, app, width, height }, address, { color, wide, least, halo = false }) {
  const at = address === null ? null : stage.placeOf(picture, address);
  if (!at) return;
  const [x, y, r] = at;
  const [half, tall] = [width / 2 - 14, height / 2 - 14];
  context.strokeStyle = color;
  if (Math.abs(x) > half + 14 || Math.abs(y) > tall + 14) {
    const share = Math.min(half / Math.abs(x || 1e-9), tall / Math.abs(y || 1e-9));
    context.save();
    context.translate(x * share, y * share);
    context.rotate(Math.atan2(y, x));
    context.beginPath();
    context.moveTo(9, 0);
    context.lineTo(-4, -6);
    context.lineTo(-4, 6);
    context.closePath();
    context.fillStyle = color;
    context.fill();
    context.restore();
    return;
  }
  const around = app.scene.has_centers === false ? r : radiusOf(stage, r) + 3; // of circles it is the circle
  const radius = Math.min(Math.max(around, least), Math.max(width, height));
  if (halo) {
    circle(context, x, y, radius);
    context.lineWidth = wide + 3;
    context.strokeStyle = app.ink.ground;
    context.stroke();
  }
  circle(context, x, y, radius);
  context.lineWidth = wide;
  context.strokeStyle = color;
  context.stroke();
}

function drawPin({ context, stage, picture, app, width, height }, address) {
  const at = address === null ? null : stage.placeOf(picture, address);
  if (!at || Math.abs(at[0]) > width / 2 || Math.abs(at[1]) > height / 2) return;
  circle(context, at[0], at[1], app.scene.has_centers === false ? Math.max(5.5, at[2]) : 5.5); // no name lies under it
  context.lineWidth = 4;
  context.strokeStyle = app.ink.ground;
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = app.ink.warm;
  context.stroke();
}

function drawPath({ context, stage, picture, app, own }) {
  const places = app.marks.path.map(own).filter((address) => address !== null).map((address) => stage.placeOf(picture, address)).filter(Boolean);
  if (!places.length) return;
  for (const [color, wide] of [[app.ink.ground, 5], [app.ink.warm, 2]]) {
    context.beginPath();
    places.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.lineJoin = "round";
    context.lineWidth = wide;
    context.strokeStyle = color;
    context.stroke();
  }
  for (const [x, y] of places) {
    circle(context, x, y, 3.5);
    context.fillStyle = app.ink.warm;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = app.ink.ground;
    context.stroke();
  }
}

/** Where a line from one circle to another begins and ends: at the rim, and well inside; in their middles where one lies in the other. */
function between([x, y, r], [toX, toY, toR]) {
  const long = Math.hypot(toX - x, toY - y);
  if (!(long > r + toR)) return [[x, y], [toX, toY]];
  const [dx, dy] = [(toX - x) / long, (toY - y) / long];
  return [[x + dx * r, y + dy * r], [toX - dx * toR * INSIDE, toY - dy * toR * INSIDE]];
}

/** Lines to the other cells above the selected one, where it has several. */
function drawParents({ context, stage, picture, app, own }) {
  const selected = own(app.selected);
  const from = app.marks.parents.length && selected !== null ? stage.placeOf(picture, selected) : null;
  if (!from) return;
  for (const address of app.marks.parents.map(own)) {
    const to = address === null ? null : stage.placeOf(picture, address);
    if (!to) continue;
    const [begin, end] = app.scene.has_centers === false ? between(from, to) : [from, to];
    for (const [color, wide] of [[app.ink.ground, 4.5], [app.ink.warm, 1.75]]) {
      context.beginPath();
      context.setLineDash(color === app.ink.warm ? [6, 4] : []);
      context.moveTo(begin[0], begin[1]);
      context.lineTo(end[0], end[1]);
      context.lineWidth = wide;
      context.strokeStyle = color;
      context.stroke();
    }
    context.setLineDash([]);
    circle(context, end[0], end[1], 4);
    context.fillStyle = app.ink.warm;
    context.fill();
  }
}

/** The circles that hold others, where cells without centers are laid out in circles. */
export function drawCircles({ context, picture, app }) {
  context.lineWidth = 1;
  context.strokeStyle = app.ink.faint;
  context.globalAlpha = 0.5;
  for (const { address, alone } of app.labelled(picture)) {
    const at = alone ? null : picture.places.get(address);
    if (!at) continue;
    circle(context, at[0] * picture.move.k + picture.move.x, at[1] * picture.move.k + picture.move.y, at[2] * picture.move.k);
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** As many signs of a text as take so many pixels; null where that would be less than three. */
function fitting(context, text, { most, pixels }) {
  if (pixels < 14) return null;
  const whole = shorten(text, most);
  const wide = context.measureText(whole).width;
  if (wide <= pixels) return whole;
  for (let signs = Math.ceil(([...whole].length * pixels) / wide); signs >= 3; signs -= 1) {
    const shown = shorten(text, signs);
    if (context.measureText(shown).width <= pixels) return shown;
  }
  return null;
}

/** Names of large cells, largest first, where they do not cover each other. */
export function drawNames({ context, stage, picture, app, width, height }) {
  const taken = [];
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  for (const { address, dots, alone } of app.labelled(picture)) {
    const name = app.names.get(picture.asked.id, address);
    const at = name ? stage.placeOf(picture, address) : null;
    if (!at) continue;
    const [x, middle, r] = at;
    const y = app.scene.has_centers === false && !alone ? middle - r * 0.88 : middle; // inside of a circle, at its top
    const radius = radiusOf(stage, r) * 2;
    const size = Math.max(11, Math.min(15, 9 + Math.log2(1 + dots)));
    if (Math.abs(x) > width / 2 || Math.abs(y) > height / 2) continue;
    context.font = `${dots > 40 ? 600 : 500} ${size}px ${FONT}`;
    const text = fitting(context, visible(name), { most: 28, pixels: alone ? radius - 4 : Infinity });
    if (!text) continue;
    const wide = context.measureText(text).width / 2 + (alone ? 2 : 5);
    const box = [x - wide, y - size * 0.75, x + wide, y + size * 0.75];
    if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
    taken.push(box);
    context.lineWidth = 3.5;
    context.strokeStyle = app.ink.ground;
    context.strokeText(text, x, y);
    context.fillStyle = app.ink.ink;
    context.fillText(text, x, y);
  }
}

/** What Enter selects. */
function drawCross({ context, app }) {
  context.strokeStyle = app.ink.accent;
  context.lineWidth = 1.5;
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.beginPath();
    context.moveTo(dx * 5, dy * 5);
    context.lineTo(dx * 13, dy * 13);
    context.stroke();
  }
}
