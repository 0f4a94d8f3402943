// Frames: where one looks. A view is an address (the anchor), the place of the view's middle relative to that cell's center, in
// units of its scale, and how many pixels a unit has: {anchor, p: [x, y], z}. So nothing is lost hundreds of levels down.
// A move is what happened to a picture since it was asked for: a pixel x (from the middle, y down) is now at k x + t.

import { isAddress } from "./words.js";

export const still = () => ({ k: 1, x: 0, y: 0 });

/** Scales by `factor` about a pixel, then shifts. */
export function carry(move, factor, [cx, cy], [dx, dy]) {
  move.k *= factor;
  move.x = cx + (move.x - cx) * factor + dx;
  move.y = cy + (move.y - cy) * factor + dy;
}

/** The view after a move: the pixel that is in the middle now is -t / k of what was asked. */
export function moved({ anchor, p, z }, move) {
  return { anchor, p: [p[0] - move.x / move.k / z, p[1] + move.y / move.k / z], z: z * move.k };
}

/** Whether a picture has moved so far that another one is needed. */
export const isStale = (move, width, height) =>
  move.k > 1.35 || move.k < 1 / 1.35 || Math.abs(move.x) > 0.2 * width || Math.abs(move.y) > 0.2 * height;

/** The view as text, for the address bar; z in units of the shorter side, so that it fits any window. */
export const written = ({ anchor, p, z }, side) => ({ at: anchor, p: `${p[0]},${p[1]}`, z: String(z / side) });

/** The view of such a text, or null where it is none. */
export function readView({ at, p, z }, side) {
  const place = (p ?? "0,0").split(",").map(Number);
  const pixels = Number(z) * side;
  const good = isAddress(at ?? "") && place.length === 2 && place.every(Number.isFinite) && pixels > 0 && Number.isFinite(pixels);
  return good ? { anchor: at, p: place, z: pixels } : null;
}

/** log10 of how many pixels a unit of the hierarchy has: of z alone that could be told of no deep cell. */
export const logPixels = (view, logScale) => Math.log10(view.z) - logScale;

/** A round length of at most `most` pixels, as its log10 and how long it is drawn: 1, 2 or 5 times a power of ten. */
export function scaleBar(logPixelsOfUnit, most = 160) {
  const longest = Math.log10(most) - logPixelsOfUnit;
  const whole = Math.floor(longest);
  const step = [5, 2, 1].find((one) => Math.log10(one) <= longest - whole + 1e-12) ?? 1;
  const log = whole + Math.log10(step);
  return { log, pixels: 10 ** (log + logPixelsOfUnit) };
}
