// The renderer without a GPU: dots written into the pixels of an image. A million of them take some thirty milliseconds.
//
// What both renderers draw: dots of diameter r k size, at least LEAST and at most `most` pixels; below 4 device pixels they are
// squares of whole pixels, from there on discs. `pictures` are drawn into parts of one canvas: {cut, colors, move: {k, x, y}, box: [left, top, width, height],
// dimmed: {colors, first, end} or null}; everything in CSS pixels, `ratio` device pixels each.

export const LEAST = 1.6;
export const DISC = 4;

export class Pixels {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.name = "pixels";
    this.told = "image data, on the processor";
  }

  draw({ pictures, ratio, background, size, most = Infinity }) {
    const { width, height } = this.canvas;
    if (width === 0 || height === 0) return;
    if (this.image?.width !== width || this.image?.height !== height) {
      this.image = this.context.createImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    this.pixels.fill(background);
    for (const picture of pictures) drawPicture(this.pixels, width, height, { picture, ratio, size, most });
    this.context.putImageData(this.image, 0, 0);
  }

  release() {}

  end() {}
}

/** Writes the dots of one picture into its box. */
function drawPicture(pixels, width, height, { picture, ratio, size, most }) {
  const { cut, move, box, dimmed } = picture;
  const [left, top] = [Math.round(box[0] * ratio), Math.round(box[1] * ratio)];
  const [right, bottom] = [Math.min(width, Math.round((box[0] + box[2]) * ratio)), Math.min(height, Math.round((box[1] + box[3]) * ratio))];
  const [mx, my] = [(box[0] + box[2] / 2 + move.x) * ratio, (box[1] + box[3] / 2 + move.y) * ratio];
  const k = move.k * ratio;
  const factor = k * size;
  const least = LEAST * ratio;
  const largest = Math.max(least, most * ratio);
  const { x, y, r, count } = cut;
  // Where all dots are squares of one size, as below a rule, their scales need no look.
  const [low, high] = [least, Math.min(largest, Math.max(least, (cut.largest ??= greatest(r)) * factor))].map((d) => (d + 0.5) | 0);
  const alike = low === 2 && high === 2;
  const squares = (first, end, colors) => {
    const [shiftX, shiftY] = [mx - 0.5, my - 0.5]; // floor(c - side / 2 + 1 / 2); |0 of what is inside is floor
    const [lastX, lastY] = [right - 2, bottom - 2];
    for (let row = first; row < end; row += 1) {
      const px = x[row] * k + shiftX;
      const py = y[row] * k + shiftY;
      if (px >= left && py >= top && px < lastX + 1 && py < lastY + 1) {
        const at = (py | 0) * width + (px | 0);
        const color = colors[row];
        pixels[at] = color;
        pixels[at + 1] = color;
        pixels[at + width] = color;
        pixels[at + width + 1] = color;
      }
    }
  };
  const write = (first, end, colors) => {
    for (let row = first; row < end; row += 1) {
      const d = Math.min(largest, Math.max(least, r[row] * factor));
      const cx = mx + x[row] * k;
      const cy = my + y[row] * k;
      const half = d / 2;
      if (cx + half < left || cy + half < top || cx - half > right || cy - half > bottom) continue;
      const color = colors[row];
      if (d < DISC) {
        const side = (d + 0.5) | 0;
        const x0 = Math.floor(cx - side / 2 + 0.5);
        const y0 = Math.floor(cy - side / 2 + 0.5);
        if (x0 >= left && y0 >= top && x0 + side <= right && y0 + side <= bottom) {
          let at = y0 * width + x0;
          if (side === 2) {
            pixels[at] = color;
            pixels[at + 1] = color;
            pixels[at + width] = color;
            pixels[at + width + 1] = color;
          } else for (let line = 0; line < side; line += 1, at += width) for (let step = 0; step < side; step += 1) pixels[at + step] = color;
        } else {
          for (let py = Math.max(top, y0); py < Math.min(bottom, y0 + side); py += 1)
            for (let px = Math.max(left, x0); px < Math.min(right, x0 + side); px += 1) pixels[py * width + px] = color;
        }
      } else writeDisc(pixels, width, [left, top, right, bottom], { cx, cy, radius: half, color });
    }
  };
  const draw = alike ? squares : write;
  if (!dimmed) draw(0, count, picture.colors);
  else {
    draw(0, dimmed.first, dimmed.colors);
    draw(dimmed.end, count, dimmed.colors);
    draw(dimmed.first, dimmed.end, picture.colors);
  }
}

function greatest(numbers) {
  let found = 0;
  for (const number of numbers) if (number > found) found = number;
  return found;
}

/** A disc, line by line; the pixels at the ends of a line are mixed by how much of them it covers. */
function writeDisc(pixels, width, [left, top, right, bottom], { cx, cy, radius, color }) {
  const first = Math.max(top, Math.floor(cy - radius));
  const last = Math.min(bottom - 1, Math.ceil(cy + radius));
  for (let py = first; py <= last; py += 1) {
    const away = py + 0.5 - cy;
    const square = radius * radius - away * away;
    if (square <= 0) continue;
    const half = Math.sqrt(square);
    const [x0, x1] = [cx - half, cx + half];
    const [inner, outer] = [Math.ceil(x0), Math.floor(x1)];
    const line = py * width;
    if (inner > outer) {
      blend(pixels, line, Math.floor(x0), [left, right], { color, share: x1 - x0 });
      continue;
    }
    blend(pixels, line, inner - 1, [left, right], { color, share: inner - x0 });
    blend(pixels, line, outer, [left, right], { color, share: x1 - outer });
    const [from, to] = [Math.max(left, inner), Math.min(right, outer)];
    if (to > from) pixels.fill(color, line + from, line + to);
  }
}

function blend(pixels, line, px, [left, right], { color, share }) {
  if (px < left || px >= right || share <= 0.003) return;
  const below = pixels[line + px];
  let made = 0xff000000;
  for (let by = 0; by <= 16; by += 8) made |= (((color >>> by) & 255) * share + ((below >>> by) & 255) * (1 - share) + 0.5) << by;
  pixels[line + px] = made >>> 0;
}
