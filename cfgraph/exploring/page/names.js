// Names: asked for by address, many at once, and kept while the hierarchy is open.

import { askJson } from "./api.js";

const MOST = 500; // at once
const KEPT = 50_000;

export class Names {
  constructor(app) {
    this.app = app;
    this.known = new Map(); // of each hierarchy
  }

  forget() {
    this.known.clear();
  }

  of(id) {
    if (!this.known.has(id)) this.known.set(id, new Map());
    return this.known.get(id);
  }

  /** The name of a cell; null for a cell without one, undefined for one that was not asked for. */
  get(id, address) {
    return this.known.get(id)?.get(address);
  }

  /** Asks for names that are not known yet; whether there are new ones. */
  async want(id, addresses) {
    const known = this.of(id);
    if (known.size > KEPT) known.clear();
    const missing = [...new Set(addresses)].filter((address) => !known.has(address)).slice(0, MOST);
    if (!missing.length) return false;
    missing.forEach((address) => known.set(address, null));
    try {
      const { names } = await askJson("/api/names", { id, addresses: missing });
      missing.forEach((address, at) => known.set(address, names[at] ?? null));
      return names.some(Boolean);
    } catch {
      missing.forEach((address) => known.delete(address));
      return false; // pictures without names, then
    }
  }
}
