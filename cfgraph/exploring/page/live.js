// Live: a growth under way, read from a stream; cells appear as they are written.

import { stream } from "./api.js";
import { el, fill, named, terms } from "./dom.js";
import { count, duration, several, shortAddress, value, visible } from "./words.js";

const LOOK = 1500; // milliseconds between pictures
const KEPT = 120; // blocks that stay ringed

export function livePanel(app, place) {
  let control = null;
  let waiting = 0;
  let id = null; // whose growth it is

  async function follow() {
    if (app.growing !== null && app.growing === id) return; // what was counted since then goes on
    stop();
    fill(place); // what was true once
    id = app.growing;
    if (id === null) return;
    control = new AbortController();
    const { signal } = control;
    fill(place, el("p", { class: "prose" }, "looking …"));
    for (let tried = 0; !signal.aborted; tried += 1) {
      try {
        for await (const told of stream(`/api/live?id=${encodeURIComponent(id)}`, { signal })) {
          if (signal.aborted) return;
          tried = 0;
          take(told);
          if (told.state === "complete" || told.state === "removed") return end(told);
        }
        return;
      } catch (error) {
        if (error.name === "AbortError" || signal.aborted) return;
        if (error.status >= 400 && error.status < 500) return fill(place, app.wrong(error));
        fill(place, app.wrong(error), el("p", { class: "prose" }, "It is tried again."));
        await new Promise((done) => setTimeout(done, Math.min(10_000, 1000 * 2 ** tried)));
      }
    }
  }

  function take(told) {
    app.emit("live", told);
    const blocks = told.blocks_in_work ?? [];
    const share = told.left !== undefined && told.left !== null && told.cells !== null ? told.cells / Math.max(1, told.cells + told.left) : null;
    fill(
      place,
      app.beside && el("h2", {}, named(visible(id))),
      el("p", { class: "lead" }, told.state === "away" ? "The store does not answer; it is asked again." : `${visible(told.state ?? "growing")}, ${several(told.workers ?? 0, "worker")}`),
      el("p", { class: "big" }, told.cells_per_second === undefined ? "–" : `${count(Math.round(told.cells_per_second))} cells/s`),
      share !== null && el("progress", { max: 1, value: share, "aria-label": "Share of the cells that was grown since this page looks" }),
      terms([
        ["time left", duration(told.seconds_left)],
        ["cells left", told.left === undefined || told.left === null ? null : count(told.left)],
        ["cells since", told.cells === undefined || told.cells === null ? null : count(told.cells)],
        ["blocks done", told.done === undefined ? null : count(told.done)],
        ["taken over", told.taken_over === undefined ? null : count(told.taken_over)],
      ]),
      el("h3", {}, "Blocks in work", el("span", {}, count(blocks.length))),
      el("ul", { class: "list" }, blocks.slice(0, 60).map(({ address, owner, until }) => el("li", {}, el("button", { type: "button", class: "link", on: { click: () => app.goTo(address) } }, shortAddress(address, 26)), el("span", { class: "faint" }, named(visible(`${owner}`.slice(0, 24))), typeof until === "number" ? ` ${value(Math.round(until))} s` : "")))),
    );
    const changed = told.changed ?? [];
    if (changed.length) {
      app.mark({ changed: [...changed.filter((address) => address !== "/"), ...app.marks.changed].slice(0, KEPT) });
      waiting ||= setTimeout(() => {
        waiting = 0;
        app.stage.refresh();
      }, LOOK);
    }
  }

  function end(told) {
    stop();
    app.mark({ changed: [] });
    if (told.state === "complete") {
      app.say("The growth is complete.");
      app.open({ id: app.id, beside: app.beside, keep: true });
    } else app.lose(told.error ?? "the hierarchy was removed", { again: true });
  }

  function stop() {
    control?.abort();
    control = id = null;
    clearTimeout(waiting);
    waiting = 0;
  }

  app.on("opened", follow);
  app.on("lost", () => {
    stop();
    fill(place);
    app.mark({ changed: [] });
    app.tabs.offer("live", false);
  });
  addEventListener("pagehide", stop);
  return {};
}
