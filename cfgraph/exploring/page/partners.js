// Partners: the cells of two hierarchies that stand for each other: those of one address, or, where trees have names, of one
// name. What is selected, pointed at and marked is told by its address in the first one; the second panel has its own.

import { askJson } from "./api.js";

const MOST = 500; // at once
const KEPT = 50_000;

export class Partners {
  constructor(app) {
    this.app = app;
    this.known = [new Map(), new Map()]; // of cells of the first, and of the second
    for (const event of ["selected", "marked"]) app.on(event, () => this.follow());
  }

  forget() {
    this.known.forEach((known) => known.clear());
  }

  get byName() {
    return this.app.beside !== null && this.app.scene?.linked_by === "name";
  }

  /** A cell of the first hierarchy in a panel: its address there; null where it has none, or none is known yet. */
  in(panel, address) {
    return address === null || panel === 0 || !this.byName ? address : (this.known[0].get(address) ?? null);
  }

  /** A cell of a panel's hierarchy in the first. */
  from(panel, address) {
    return address === null || panel === 0 || !this.byName ? address : (this.known[1].get(address) ?? null);
  }

  /** The same, asked for where it is not known. */
  async find(panel, address) {
    if (panel !== 0 && this.byName && address !== null) await this.want(1, [address]);
    return this.from(panel, address);
  }

  /** Asks for the partners of cells of the first hierarchy (0) or of the second (1); whether there is news. */
  async want(side, addresses) {
    const known = this.known[side];
    if (known.size > KEPT) this.forget();
    const missing = [...new Set(addresses)].filter((address) => !known.has(address)).slice(0, MOST);
    if (!missing.length) return false;
    const { id, beside } = this.app;
    const { addresses: found } = await askJson("/api/partners", side ? { id: beside, beside: id, addresses: missing } : { id, beside, addresses: missing });
    if (this.app.id !== id || this.app.beside !== beside) return false;
    missing.forEach((address, at) => {
      known.set(address, found[at]);
      if (found[at] !== null) this.known[1 - side].set(found[at], address);
    });
    return true;
  }

  /** The second panel's view: in the frame of the partner of the cell that the first one looks at. */
  async view(view, axes) {
    if (!this.byName) return view;
    const { id, beside } = this.app;
    return { ...view, ...(await askJson("/api/beside", { id, beside, axes, view }, { patient: true })) };
  }

  /** Looks up what is marked now. */
  async follow() {
    if (!this.byName) return;
    const { marks, selected, stage } = this.app;
    const wanted = [selected, ...marks.parents, ...marks.path, ...marks.hits].filter((address) => address !== null);
    try {
      if (!(await this.want(0, wanted))) return;
    } catch {
      return; // the second panel is without these marks, then
    }
    stage.draw();
    stage.place();
    this.app.emit("linked");
  }
}
