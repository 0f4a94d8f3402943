// Keys: every command has one. A command is a name, its keys, what it does in words.

import { el, fill, find } from "./dom.js";

const KEPT = "cfgraph-single-keys";

export class Keys {
  constructor(app, commands) {
    this.app = app;
    this.commands = commands;
    this.single = true;
    try {
      this.single = localStorage.getItem(KEPT) !== "off";
    } catch {
      // Without storage they stay as they are.
    }
    this.dialog = find("help");
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    document.addEventListener("keydown", (event) => this.pressed(event));
    for (const button of document.querySelectorAll("[data-command]")) {
      const command = commands[button.dataset.command];
      button.title = `${command.told} (${command.keys[0]})`;
      button.addEventListener("click", () => this.run(button.dataset.command));
    }
  }

  run(name) {
    if (this.commands[name].needs?.() === false) return;
    this.commands[name].run();
  }

  pressed(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const { target } = event;
    const typing = target.closest("input, textarea, select, [contenteditable]") !== null;
    if (document.querySelector("dialog[open]") || (typing && event.key !== "Escape")) return;
    const drawn = target.closest(".stage, .trees > div") !== null || target === document.body;
    const inTree = target.closest(".trees") !== null;
    for (const [name, command] of Object.entries(this.commands)) {
      const fits = (command.bound ?? command.keys).includes(event.key) && (!command.shift || event.shiftKey);
      const here = command.where === "map" ? drawn && !inTree : command.where === "tree" ? inTree : command.where === "drawn" ? drawn : true;
      if (!fits || !here || (!this.single && event.key.length === 1 && !drawn)) continue;
      event.preventDefault();
      if (typing) target.blur();
      this.run(name);
      return;
    }
  }

  help() {
    if (this.dialog.open) return this.dialog.close();
    const groups = Map.groupBy?.(Object.values(this.commands), ({ group }) => group) ?? grouped(Object.values(this.commands));
    const single = el("input", {
      type: "checkbox",
      checked: this.single,
      on: {
        change: () => {
          this.single = single.checked;
          try {
            localStorage.setItem(KEPT, this.single ? "on" : "off");
          } catch {
            // Not kept, then.
          }
        },
      },
    });
    fill(
      this.dialog,
      el("header", {}, el("h2", { id: "help-title" }, "Keys"), el("button", { type: "button", class: "icon", "aria-label": "Close", on: { click: () => this.dialog.close() } }, "✕")),
      el(
        "div",
        { class: "inside", tabIndex: 0, role: "region", "aria-labelledby": "help-title" },
        el("div", { class: "help-keys" }, [...groups].map(([group, commands]) => el("section", {}, el("h3", {}, group), el("ul", {}, commands.map(({ told, keys }) => el("li", {}, el("span", {}, told), el("span", {}, keys.map((key, at) => [at ? " " : "", el("kbd", {}, key)])))))))),
        el("p", { class: "faint" }, "Mouse and touch: scroll or pinch to zoom, drag to move, double click for three times closer, with shift farther."),
        el("label", { class: "row faint" }, single, "single letters are commands everywhere on the page, not only on the pictures"),
      ),
    );
    this.dialog.showModal();
  }
}

function grouped(commands) {
  const found = new Map();
  for (const command of commands) found.set(command.group, [...(found.get(command.group) ?? []), command]);
  return found;
}
