// Palettes: colors of values, as the renderers take them: one 32-bit number a dot, red in the lowest byte.
// Categories are Okabe and Ito's (dark pages have them lighter); numbers run through viridis. Both can be told apart without
// seeing red, green or blue; more than eight categories get hues of one lightness, and the legend and the panel tell them.

import { MISSING } from "./cut.js";

const CATEGORIES = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a3d9a", "#8a4f1d"],
  dark: ["#4ea8f0", "#ff8f45", "#2cc79b", "#ee9fca", "#f4bf4f", "#9adcff", "#b39bf0", "#c99668"],
  "light-more": ["#005a8d", "#a34400", "#00674b", "#96406f", "#7d5600", "#1f6d9c", "#4a2a72", "#5f3610"], // 4.5 to 1 and more
  "dark-more": ["#7cc2ff", "#ffa766", "#4fe0b5", "#f7b6d8", "#ffd166", "#b5e6ff", "#c9b6ff", "#deb08a"],
};
const NUMBERS = ["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"];
const GREY = { light: "#a5a39d", dark: "#686c78", "light-more": "#6b6a66", "dark-more": "#a4a8b4" };
const ENDS = { light: [0, 0.88], dark: [0.26, 1], "light-more": [0, 0.55], "dark-more": [0.42, 1] }; // the part of the ramp that is seen against the page

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const packed = ([red, green, blue]) => (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
export const hexOf = (color) => `#${[0, 8, 16].map((by) => ((color >>> by) & 255).toString(16).padStart(2, "0")).join("")}`;
export const packHex = (hex) => packed(channels(hex));

/** One color mixed with a share of another. */
export function mixed(color, other, share) {
  let made = 0xff000000;
  for (const by of [0, 8, 16]) made |= Math.round(((color >>> by) & 255) * (1 - share) + ((other >>> by) & 255) * share) << by;
  return made >>> 0;
}

/** sRGB of a color in OKLCH (Ottosson 2020). */
function fromOklch(lightness, chroma, degrees) {
  const [a, b] = [chroma * Math.cos((degrees * Math.PI) / 180), chroma * Math.sin((degrees * Math.PI) / 180)];
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short,
  ].map((linear) => {
    const bounded = Math.min(1, Math.max(0, linear));
    return Math.round(255 * (bounded <= 0.0031308 ? 12.92 * bounded : 1.055 * bounded ** (1 / 2.4) - 0.055));
  });
}

/** The colors of categories. */
export function categories(number, theme) {
  const few = CATEGORIES[theme];
  if (number <= few.length) return few.slice(0, number).map(packHex);
  const lightness = { dark: 0.76, light: 0.6, "dark-more": 0.82, "light-more": 0.48 }[theme];
  // Neighbours differ: each hue is 0.382 of a turn from the last.
  return Array.from({ length: number }, (_, at) => packed(fromOklch(lightness + (at % 3 - 1) * 0.06, 0.125, 20 + 360 * ((at * 0.381966) % 1))));
}

/** 256 colors from low to high. */
export function ramp(theme) {
  const stops = NUMBERS.map(packHex);
  const [low, high] = ENDS[theme];
  return Array.from({ length: 256 }, (_, at) => {
    const place = (low + ((high - low) * at) / 255) * (stops.length - 1);
    const first = Math.min(stops.length - 2, Math.floor(place));
    return mixed(stops[first], stops[first + 1], place - first);
  });
}

export const grey = (theme) => packHex(GREY[theme]);

/** The color of each value that a cut may have, as a table of 65,536. */
export function tableOf({ kind, labels, low, high }, theme) {
  const table = new Uint32Array(MISSING + 1).fill(grey(theme));
  if (kind === "category") table.set(categories(labels.length, theme));
  else if (kind === "number") {
    const colors = ramp(theme);
    for (let value = 0; value < MISSING; value += 1) table[value] = colors[low === high ? 150 : value >>> 8];
  } else table.fill(categories(1, theme)[0]);
  return table;
}

/** The color of each dot. */
export function colorsOf(cut, table) {
  const colors = new Uint32Array(cut.count);
  const { value } = cut;
  for (let row = 0; row < cut.count; row += 1) colors[row] = table[value[row]];
  return colors;
}

/** The color of each cell of a cut's tree: that of its dots where they agree, their mean's where they are numbers. */
export function colorsOfTree(cut, table, theme) {
  const { value, count, tree } = cut;
  const colors = new Uint32Array(tree.size);
  const none = grey(theme);
  if (cut.header.color.kind === "number") {
    const sums = new Float64Array(count + 1);
    const known = new Int32Array(count + 1);
    for (let row = 0; row < count; row += 1) {
      const has = value[row] !== MISSING;
      sums[row + 1] = sums[row] + (has ? value[row] : 0);
      known[row + 1] = known[row] + (has ? 1 : 0);
    }
    for (let node = 0; node < tree.size; node += 1) {
      const number = known[tree.end[node]] - known[tree.first[node]];
      colors[node] = number ? table[Math.round((sums[tree.end[node]] - sums[tree.first[node]]) / number)] : none;
    }
    return colors;
  }
  const changes = new Int32Array(count + 1);
  for (let row = 1; row < count; row += 1) changes[row + 1] = changes[row] + (value[row] === value[row - 1] ? 0 : 1);
  for (let node = 0; node < tree.size; node += 1) {
    const [first, end] = [tree.first[node], tree.end[node]];
    colors[node] = end > first && changes[end] === changes[first + 1] ? table[value[first]] : none;
  }
  return colors;
}
