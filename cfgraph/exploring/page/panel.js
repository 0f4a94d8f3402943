// The cell panel: all that is told of the selected cell; of the hierarchy, while none is selected.

import { askBlob, askJson } from "./api.js";
import { copy, el, fill, named, terms } from "./dom.js";
import { brief, count, levelOf, parentOf, several, shortAddress, value, visible } from "./words.js";

const CHILDREN_SHOWN = 40;
const POINTS_SHOWN = 40;

export function cellPanel(app, place) {
  let asked = null; // what is awaited
  let pointed = null; // images that are awaited
  let urls = []; // of images, to be freed
  let shown = null; // whose panel this is

  const free = () => {
    pointed?.abort();
    urls.forEach((url) => URL.revokeObjectURL(url));
    urls = [];
  };

  const jump = (address, text, given = {}) =>
    el("button", { type: "button", class: "link", on: { click: () => app.goTo(address), pointerenter: () => app.hover(address, "list"), pointerleave: () => app.hover(null, "list") }, title: address.length < 400 ? address : null, ...given }, text);

  async function show() {
    asked?.abort();
    free();
    if (!app.scene) return fill(place, el("p", { class: "prose" }, "No hierarchy is open."));
    if (app.selected === null) {
      if (app.marks.parents.length) app.mark({ parents: [] });
      return showScene();
    }
    const address = app.selected;
    if (app.marks.parents.length) app.mark({ parents: [] }); // those of another cell
    asked = new AbortController();
    const { signal } = asked;
    place.setAttribute("aria-busy", "true");
    try {
      const cell = await askJson("/api/cell", { id: app.id, address, ...(app.beside ? { beside: app.beside } : {}) }, { signal });
      if (!signal.aborted) showCell(cell);
    } catch (error) {
      if (error.name === "AbortError") return;
      fill(place, el("h2", {}, shortAddress(address)), app.wrong(error), el("div", { class: "actions" }, parentOf(address) !== null && el("button", { type: "button", class: "plain", on: { click: () => app.goTo(parentOf(address)) } }, "the cell above")));
      if (error.gone) app.refused(error);
    } finally {
      if (!signal.aborted) place.setAttribute("aria-busy", "false");
    }
  }

  function showScene() {
    const { scene } = app;
    fill(
      place,
      el("h2", {}, named(visible(app.id))),
      el("p", { class: "lead" }, [scene.origin && `from ${visible(scene.origin)}`, scene.file ? "a file" : null].filter(Boolean).join(", ")),
      terms([
        ["dimension", value(scene.dimension)],
        ["children each", scene.arity ? `at most ${count(scene.arity)}` : null],
        ["scale", scene.scale_factor ? `× ${value(scene.scale_factor)} a level` : "each cell its own"],
        ["stored to level", scene.stored_depth === null || scene.stored_depth === undefined ? null : count(scene.stored_depth)],
        ["below that", scene.rule ? visible(scene.rule) : "nothing: what is stored is all"],
        ["points", scene.points ? "yes" : null],
        ["properties", scene.properties?.length ? scene.properties.map(({ name }) => visible(name)).join(", ") : null],
      ]),
      (scene.notes ?? []).map((note) => el("p", { class: "note" }, visible(note))),
      scene.has_centers === false && !scene.notes?.length && el("p", { class: "note" }, "The cells have no centers: circles in circles show them, by size."),
      el("h3", {}, "To begin"),
      el("p", { class: "prose" }, "Scroll to zoom without end, drag to move. Click a cell to see what it is; double click to come closer. Every command has a key: press ? for all of them."),
    );
  }

  function showCell(cell) {
    const { address } = cell;
    const above = cell.above ?? cell.ancestors ?? [];
    const kind = cell.predicted ? "predicted" : cell.stored ? "stored" : "by the rule";
    const parents = (cell.parents?.length ?? 0) > 1 ? cell.parents : [];
    const called = cell.name ? named(visible(cell.name)) : shortAddress(address, 34);
    fill(
      place,
      el("h2", {}, called),
      el("p", { class: "lead mono" }, `${cell.name ? `${shortAddress(address, 44)}, ` : ""}level ${count(cell.level ?? levelOf(address))}`),
      el("div", { class: "tags" }, el("span", { class: "tag", data: { kind: kind === "stored" ? "" : "warm" } }, kind), cell.state && cell.state.toLowerCase() !== kind && el("span", { class: "tag" }, visible(cell.state).toLowerCase())),
      el(
        "div",
        { class: "actions" },
        el("button", { type: "button", class: "main", on: { click: () => app.goTo(address) } }, "go there"),
        parentOf(address) !== null && el("button", { type: "button", class: "plain", on: { click: () => app.goTo(parentOf(address)) } }, "cell above"),
        el("button", { type: "button", class: "plain", on: { click: (event) => copy(address, event.currentTarget) } }, "copy address"),
      ),
      el("h3", {}, "Where it is"),
      terms([
        ["center", cell.center?.length ? value(cell.center, 6) : null],
        ["scale", value(cell.scale)],
        ["edge above", value(cell.length)],
        ["from the root", value(cell.root_distance)],
        ["residual", cell.residual?.length ? value(cell.residual, 6) : null],
        ["all below within", value(cell.reach)],
        ["radius", value(cell.radius)],
      ]),
      cell.beside !== null && cell.beside !== undefined && besideOf(cell.beside),
      propertiesOf(cell.properties),
      parents.length > 0 && [el("h3", {}, `${count(parents.length)} cells above it`), el("ul", { class: "list" }, parents.map((one) => parentLine(one)))],
      above.some(({ name }) => name) && [el("h3", {}, "Names above"), el("ol", { class: "list" }, above.filter(({ name }) => name).map((one) => el("li", {}, jump(one.address, named(brief(one.name))))))],
      childrenOf(cell),
      cell.subtree && subtreeOf(cell.subtree),
      pointsOf(cell),
      pathOf(cell),
      el("h3", {}, "Take it along"),
      el(
        "div",
        { class: "actions" },
        cell.cypher && el("button", { type: "button", class: "plain", on: { click: (event) => copy(cell.cypher, event.currentTarget) } }, "copy as Cypher"),
        cell.python && el("button", { type: "button", class: "plain", on: { click: (event) => copy(cell.python, event.currentTarget) } }, "copy as Python"),
      ),
    );
    app.mark({ parents: parents.filter(({ primary }) => !primary).map((one) => one.address) });
    if (shown !== address) place.scrollTop = 0;
    shown = address;
  }

  const parentLine = ({ address, name, primary }) =>
    el("li", {}, jump(address, name ? named(brief(name)) : shortAddress(address, 38)), el("span", { class: "faint" }, primary ? "it is drawn here" : "also here, by a dashed line"));

  function besideOf({ address, center_error: center, in_scale: inScale, residual_error: residual, certificate = null }) {
    const told = [
      ["there it is", address === app.selected ? null : shortAddress(address, 30)],
      ["center is off", center === null ? null : value(center)],
      ["in its scale", inScale === null ? null : value(inScale)],
      ["residual is off", residual === null ? null : value(residual)],
      ["certified at most", certificate === null ? null : value(certificate.bound ?? certificate)],
    ].filter(([, one]) => one !== null);
    return told.length > 0 && [el("h3", {}, "Beside", el("span", {}, named(visible(app.beside)))), terms(told)];
  }

  const propertiesOf = (properties) => {
    const pairs = Object.entries(properties ?? {});
    return pairs.length ? [el("h3", {}, "Properties"), terms(pairs.map(([name, told]) => [visible(name), named(value(told))]))] : null;
  };

  function childrenOf(cell) {
    const shown = (cell.children ?? []).slice(0, CHILDREN_SHOWN);
    const number = cell.child_count ?? shown.length;
    if (!number) return [el("h3", {}, "Children"), el("p", { class: "prose" }, "none: it ends here")];
    const base = cell.address === "/" ? "" : cell.address;
    const lines = shown.length ? shown : Array.from({ length: Math.min(number, CHILDREN_SHOWN) }, (_, slot) => ({ slot, name: null, stored: false }));
    return [
      el("h3", {}, "Children", el("span", {}, count(number))),
      el("ul", { class: "list" }, lines.map((child) => el("li", {}, jump(child.address ?? `${base}/${child.slot}`, child.name ? named(brief(child.name)) : `/${child.slot}`), el("span", { class: "faint" }, child.stored ? "" : "by the rule")))),
      number > lines.length && el("p", { class: "faint" }, `and ${count(number - lines.length)} more`),
    ];
  }

  function subtreeOf(subtree) {
    const { more, ...told } = subtree;
    const lines = Object.entries(told).filter(([, one]) => one !== null && typeof one !== "object");
    if (!lines.length) return null;
    const note = more && el("p", { class: "faint" }, `of the first ${count(told.cells)} cells: there are more`);
    return [el("h3", {}, "At and below it"), note, terms(lines.map(([name, one]) => [name.replaceAll("_", " "), value(one)]))];
  }

  function pointsOf(cell) {
    if (!app.scene.points) return null;
    const list = el("div", { class: "points-place" });
    const heading = el("h3", {}, "Points", el("span", {}, cell.points_below === null || cell.points_below === undefined ? "" : count(cell.points_below)));
    const page = async (start) => {
      free();
      pointed = new AbortController();
      const { signal } = pointed;
      try {
        const { total, points } = await askJson("/api/points", { id: app.id, address: cell.address, start, count: POINTS_SHOWN }, { signal });
        const withImages = points.some(({ image }) => image);
        fill(
          list,
          points.length === 0 && el("p", { class: "prose" }, "none"),
          withImages
            ? el("div", { class: "points" }, points.map((point) => el("figure", {}, point.image ? imageOf(point, signal) : null, el("figcaption", { title: visible(point.name ?? "") }, named(visible(point.name ?? `row ${point.row}`))))))
            : el("ol", { class: "list" }, points.map((point) => el("li", {}, named(brief(point.name ?? `row ${count(point.row)}`)), point.label !== null && point.label !== undefined ? el("span", { class: "faint" }, visible(String(point.label))) : null))),
          el(
            "div",
            { class: "actions" },
            start > 0 && el("button", { type: "button", class: "plain", on: { click: () => page(Math.max(0, start - POINTS_SHOWN)) } }, "before"),
            points.length === POINTS_SHOWN && (total === null || start + points.length < total) && el("button", { type: "button", class: "plain", on: { click: () => page(start + POINTS_SHOWN) } }, "next"),
            points.length > 0 && el("span", { class: "faint" }, `${count(start + 1)} to ${count(start + points.length)}${total === null ? "" : ` of ${count(total)}`}`),
          ),
        );
      } catch (error) {
        if (error.name !== "AbortError") fill(list, app.wrong(error));
      }
    };
    const open = el("button", { type: "button", class: "plain", on: { click: () => page(0) } }, "show its points");
    fill(list, el("div", { class: "actions" }, open));
    return [heading, list];
  }

  function imageOf(point, signal) {
    const image = el("img", { alt: visible(point.name ?? `row ${point.row}`), loading: "lazy" });
    askBlob(`/api/image?id=${encodeURIComponent(app.id)}&row=${point.row}`, undefined, { signal })
      .then(({ blob }) => {
        const url = URL.createObjectURL(blob);
        urls.push(url);
        image.src = url;
      })
      .catch(() => image.replaceWith(el("span", { class: "faint" }, "no image")));
    return image;
  }

  function pathOf(cell) {
    const told = el("div", {});
    const input = el("input", { type: "text", placeholder: "/0/1 or click a cell", "aria-label": "The other cell's address", spellcheck: false });
    const go = async (second) => {
      app.pathFrom = null;
      try {
        const path = await askJson("/api/path", { id: app.id, first: cell.address, second, ...(app.beside ? { beside: app.beside } : {}) });
        app.mark({ path: path.addresses ?? [] });
        fill(
          told,
          el("p", { class: "prose" }, "distance along the tree"),
          el("p", { class: "big" }, value(path.distance)),
          path.bound ? el("p", { class: "faint" }, `rounding: at most ${value(path.bound, 2)}`) : null,
          el("p", { class: "faint" }, `${several(Math.max(0, path.addresses.length - 1), "edge")}${path.ancestor ? `, over ${shortAddress(path.ancestor, 30)}` : ""}`),
          el("ol", { class: "list" }, path.addresses.slice(0, 60).map((address) => el("li", {}, jump(address, shortAddress(address, 40))))),
          el("div", { class: "actions" }, el("button", { type: "button", class: "plain", on: { click: () => { app.mark({ path: [] }); fill(told); } } }, "clear the path")),
        );
      } catch (error) {
        fill(told, app.wrong(error));
      }
    };
    const form = el("form", { class: "row", on: { submit: (event) => { event.preventDefault(); if (input.value.trim()) go(input.value.trim()); } } }, input, el("button", { type: "submit", class: "plain" }, "path"));
    const pick = el("button", { type: "button", class: "quiet", on: { click: () => { app.pathFrom = go; app.say("Select the other cell, on the map or in a tree."); input.placeholder = "now click the other cell"; } } }, "by clicking");
    return [el("h3", {}, "Path to another cell", pick), form, told];
  }

  app.on("selected", show);
  app.on("opened", show);
  return { show };
}
