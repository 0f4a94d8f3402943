// Words: numbers, addresses and names as people read them.

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** 54901 -> "54,901". */
export const count = (number) => Number(number).toLocaleString("en");

/** "1 cell", "2 cells". */
export const several = (number, noun, plural = `${noun}s`) => `${count(number)} ${number === 1 ? noun : plural}`;

const raised = (exponent) =>
  (exponent < 0 ? "⁻" : "") + [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[digit]).join("");

/** 10 to a power, which a number may be too large or too small for: 143.15 -> "1.41 × 10¹⁴³". */
export function power(log10, digits = 3) {
  if (!Number.isFinite(log10)) return log10 < 0 ? "0" : "∞";
  if (log10 >= -3 && log10 < 5) {
    const number = Number((10 ** log10).toPrecision(digits));
    return number >= 1000 ? count(number) : String(number);
  }
  let exponent = Math.floor(log10 + 1e-12);
  let mantissa = Number((10 ** (log10 - exponent)).toPrecision(digits));
  if (mantissa >= 10) [mantissa, exponent] = [mantissa / 10, exponent + 1];
  return (mantissa === 1 ? "" : `${mantissa} × `) + `10${raised(exponent)}`;
}

/** A number in few digits; text and other values as they are. */
export function value(given, digits = 5) {
  if (given === null || given === undefined) return "–";
  if (Array.isArray(given)) return given.map((one) => value(one, digits)).join(", ");
  if (typeof given === "object") return visible(JSON.stringify(given));
  if (typeof given !== "number") return visible(String(given));
  if (given === 0) return "0";
  if (!Number.isFinite(given)) return String(given);
  if (Number.isInteger(given) && Math.abs(given) < 1e15) return count(given);
  return (given < 0 ? "−" : "") + power(Math.log10(Math.abs(given)), digits);
}

/** Seconds as "3 s", "4 min", "2 h 5 min". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// Control characters, and marks that turn the direction of what stands around them: a name must not reach beyond itself.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** A name with its hidden characters made visible. */
export const visible = (text) =>
  String(text).replace(HIDDEN, (sign) => {
    const code = sign.codePointAt(0);
    return code < 0x20 ? String.fromCodePoint(0x2400 + code) : `‹${code.toString(16).toUpperCase().padStart(4, "0")}›`;
  });

/** A long text without its middle. */
export function shorten(text, most) {
  const signs = [...text];
  if (signs.length <= most) return text;
  const first = Math.ceil((most - 1) * 0.6);
  return `${signs.slice(0, first).join("")}…${signs.slice(signs.length - (most - 1 - first)).join("")}`;
}

/** A name in a list or beside the pointer, where a huge one would push everything else away. */
export const brief = (text, most = 120) => shorten(visible(text), most);

// Addresses: "/" is the root, "/0/2" the third child of its first child.

export const isAddress = (text) => /^\/(\d+(\/\d+)*)?$/.test(text);

export const slotsOf = (address) => (address === "/" ? [] : address.slice(1).split("/").map(Number));

export const addressOf = (slots) => (slots.length ? `/${slots.join("/")}` : "/");

export const levelOf = (address) => {
  let level = 0;
  if (address !== "/") for (const sign of address) level += sign === "/";
  return level;
};

export const parentOf = (address) => (address === "/" ? null : address.slice(0, Math.max(1, address.lastIndexOf("/"))));

export const childOf = (address, slot) => (address === "/" ? `/${slot}` : `${address}/${slot}`);

/** Whether a cell is another or lies below it. */
export const isWithin = (address, above) =>
  above === "/" || address === above || (address.length > above.length && address[above.length] === "/" && address.startsWith(above));

/** An address that fits a line: its beginning, how much is left out, its end. */
export function shortAddress(address, most = 44) {
  if (address.length <= most) return address;
  const slots = slotsOf(address);
  const tail = [];
  let length = 14;
  for (let at = slots.length - 1; at >= 0 && length + String(slots[at]).length + 1 < most; at -= 1) {
    length += String(slots[at]).length + 1;
    tail.unshift(slots[at]);
  }
  return `/…${slots.length - tail.length} levels…/${tail.join("/")}`;
}
