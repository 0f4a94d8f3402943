// Elements: made of names and text alone. What people call their cells is text, never markup.

/** Makes an element: `el("button", {class: "x", on: {click}, "aria-label": "…"}, "text", child)`. */
export function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name in made && !name.includes("-") && name !== "list" && name !== "form" && name !== "width" && name !== "height") {
      if (name === "class") made.className = value;
      else made[name] = value;
    } else made.setAttribute(name, value === true ? "" : String(value));
  }
  if (given.class) made.className = given.class;
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export const find = (id) => document.getElementById(id);

/** Puts new children in the place of the old ones. */
export const fill = (element, ...children) =>
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));

/** A name of somebody's making, set apart from the direction of what stands around it. */
export const named = (text, given = {}) => el("bdi", given, text);

/** Terms and what they are, side by side. */
export const terms = (pairs) =>
  el(
    "dl",
    { class: "terms" },
    pairs
      .filter(([, told]) => told !== null && told !== undefined)
      .map(([term, told]) => el("div", {}, el("dt", {}, term), el("dd", {}, told))),
  );

/** Copies text; whether that could be done. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const area = el("textarea", { value: text, class: "unseen", "aria-hidden": "true" });
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    focused?.focus({ preventScroll: true });
    return copied;
  }
}

/** Copies text, and says so in the button that was pressed, for a moment. */
export async function copy(text, button) {
  button.dataset.words ??= button.textContent; // what it says already may be that of a moment ago
  button.textContent = (await copyText(text)) ? "copied" : "could not copy";
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = String(setTimeout(() => (button.textContent = button.dataset.words), 1200));
}

/** Saves bytes as a file. */
export function save(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Calls a function once, when nothing has asked for it for a while. */
export function later(milliseconds, done) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => done(...given), milliseconds);
  };
}
