// The renderer on a GPU: a square for each dot, by instances, so that no dot is too large and none is lost at the border.
// It draws what pixels.js draws; both shaders compute in highp (differing precisions do not link, and the canvas stays black).

import { DISC, LEAST } from "./pixels.js";

const VERTEX = `#version 300 es
precision highp float;
precision highp int;
in float x;
in float y;
in float r;
in vec4 color;
uniform vec2 middle; // device pixels
uniform vec2 canvas;
uniform float k;
uniform float size;
uniform float least;
uniform float most;
uniform ivec2 bright; // the rows that are not dimmed
uniform vec4 background;
uniform float dim;
out vec2 place;
out vec4 paint;
out float radius;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  float d = min(most, max(least, r * k * size));
  vec2 center = middle + vec2(x, y) * k;
  vec2 at;
  if (d < ${DISC.toFixed(1)}) {
    float side = floor(d + 0.5);
    at = floor(center - side / 2.0 + 0.5) + corner * side;
    radius = 0.0;
    place = vec2(0.0);
  } else {
    vec2 low = floor(center - d / 2.0) - 1.0;
    vec2 high = ceil(center + d / 2.0) + 1.0;
    at = mix(low, high, corner);
    place = at - center;
    radius = d / 2.0;
  }
  bool far = gl_InstanceID < bright.x || gl_InstanceID >= bright.y;
  paint = mix(color, background, far ? dim : 0.0);
  gl_Position = vec4(at.x / canvas.x * 2.0 - 1.0, 1.0 - at.y / canvas.y * 2.0, 0.0, 1.0);
}`;
const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
in vec2 place;
in vec4 paint;
in float radius;
out vec4 found;
void main() {
  float share = radius > 0.0 ? clamp(radius - length(place) + 0.5, 0.0, 1.0) : 1.0;
  if (share <= 0.0) discard;
  found = vec4(paint.rgb, share);
}`;

export const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render|microsoft basic/i;

export class WebGL {
  /** Throws where the browser gives no context. */
  constructor(canvas) {
    const gl = canvas.getContext("webgl2", { antialias: false, alpha: false, depth: false, powerPreference: "high-performance" });
    if (!gl) throw new Error("no WebGL2");
    this.canvas = canvas;
    this.gl = gl;
    this.name = "webgl";
    const told = gl.getExtension("WEBGL_debug_renderer_info");
    this.told = String(told ? gl.getParameter(told.UNMASKED_RENDERER_WEBGL) : gl.getParameter(gl.RENDERER));
    this.program = this.link();
    this.at = Object.fromEntries(["middle", "canvas", "k", "size", "least", "most", "bright", "background", "dim"].map((name) => [name, gl.getUniformLocation(this.program, name)]));
    this.kept = new Map(); // cut -> buffers
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
  }

  get isSoftware() {
    return SOFTWARE.test(this.told);
  }

  link() {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`shaders do not link: ${gl.getProgramInfoLog(program)}`);
    return program;
  }

  /** The buffers of a cut, filled once; its colors again when they have changed. */
  buffersOf({ cut, colors }) {
    const { gl } = this;
    let made = this.kept.get(cut);
    if (!made) {
      made = { array: gl.createVertexArray(), colors: null, buffers: {} };
      gl.bindVertexArray(made.array);
      for (const name of ["x", "y", "r", "color"]) {
        const place = gl.getAttribLocation(this.program, name);
        made.buffers[name] = gl.createBuffer();
        gl.bindBuffer(gl.ARRAY_BUFFER, made.buffers[name]);
        gl.enableVertexAttribArray(place);
        if (name === "color") gl.vertexAttribPointer(place, 4, gl.UNSIGNED_BYTE, true, 0, 0);
        else {
          gl.bufferData(gl.ARRAY_BUFFER, cut[name], gl.STATIC_DRAW);
          gl.vertexAttribPointer(place, 1, gl.FLOAT, false, 0, 0);
        }
        gl.vertexAttribDivisor(place, 1);
      }
      this.kept.set(cut, made);
    }
    if (made.colors !== colors) {
      gl.bindBuffer(gl.ARRAY_BUFFER, made.buffers.color);
      gl.bufferData(gl.ARRAY_BUFFER, colors, gl.DYNAMIC_DRAW);
      made.colors = colors;
    }
    return made;
  }

  draw({ pictures, ratio, background, size, dim, most = Infinity }) {
    const { gl, at, canvas } = this;
    const ground = [0, 8, 16, 24].map((by) => ((background >>> by) & 255) / 255);
    gl.disable(gl.SCISSOR_TEST);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(...ground);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.useProgram(this.program);
    gl.uniform2f(at.canvas, canvas.width, canvas.height);
    gl.uniform1f(at.size, size);
    gl.uniform1f(at.least, LEAST * ratio);
    gl.uniform1f(at.most, Math.max(LEAST, Math.min(1e9, most)) * ratio);
    gl.uniform4f(at.background, ...ground);
    gl.uniform1f(at.dim, dim);
    gl.enable(gl.SCISSOR_TEST);
    for (const picture of pictures) {
      const { cut, move, box, dimmed } = picture;
      if (!cut.count) continue;
      const [left, right] = [Math.round(box[0] * ratio), Math.round((box[0] + box[2]) * ratio)];
      const [top, bottom] = [Math.round(box[1] * ratio), Math.round((box[1] + box[3]) * ratio)];
      gl.scissor(left, canvas.height - bottom, right - left, bottom - top);
      gl.bindVertexArray(this.buffersOf(picture).array);
      gl.uniform2f(at.middle, (box[0] + box[2] / 2 + move.x) * ratio, (box[1] + box[3] / 2 + move.y) * ratio);
      gl.uniform1f(at.k, move.k * ratio);
      gl.uniform2i(at.bright, dimmed ? dimmed.first : 0, dimmed ? dimmed.end : cut.count);
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, cut.count);
    }
    gl.bindVertexArray(null);
  }

  /** Waits until what was drawn is there, to measure it. */
  finish() {
    this.gl.readPixels(0, 0, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  /** Frees the buffers of a cut that is not shown any more. */
  release(cut) {
    const made = this.kept.get(cut);
    if (!made) return;
    Object.values(made.buffers).forEach((buffer) => this.gl.deleteBuffer(buffer));
    this.gl.deleteVertexArray(made.array);
    this.kept.delete(cut);
  }

  end() {
    [...this.kept.keys()].forEach((cut) => this.release(cut));
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
