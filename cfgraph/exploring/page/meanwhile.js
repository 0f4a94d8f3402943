// Meanwhile: whether the store still holds what is shown. It is asked every few seconds, while somebody looks: hierarchies are
// grown, cut, removed and made anew by others.

import { askJson } from "./api.js";

const LOOK = 3000; // milliseconds between questions

export function watchStore(app) {
  let control = null;

  const stop = () => {
    control?.abort();
    control = null;
  };

  /** Waits, and until the page can be seen. */
  const turn = (signal) =>
    new Promise((done) => {
      const go = () => {
        clearTimeout(timer);
        document.removeEventListener("visibilitychange", seen);
        done();
      };
      const seen = () => document.hidden || go();
      const timer = setTimeout(() => document.hidden || go(), LOOK);
      document.addEventListener("visibilitychange", seen);
      signal.addEventListener("abort", go);
    });

  async function follow() {
    stop();
    const known = Object.entries(app.scene.moments ?? {});
    if (!known.length) return; // a file stays as it is
    control = new AbortController();
    const { signal } = control;
    const leaving = new Set();
    for (;;) {
      await turn(signal);
      if (signal.aborted) return;
      for (const [id, before] of known) {
        try {
          const now = await askJson(`/api/moment?id=${encodeURIComponent(id)}`, undefined, { signal, patient: true });
          if (signal.aborted) return;
          if (now.state === "removing") {
            if (!leaving.has(id)) app.say(`${id} is being removed.`);
            leaving.add(id);
            continue; // what is there is told once it is gone
          }
          if (now.made !== before.made) return app.lose(`${id} was removed meanwhile, and another made under its id`, { again: true });
          if (now.digest !== before.digest) {
            app.say(now.state === "growing" ? `${id} is being grown.` : `${id} was changed in the store.`);
            return app.open({ id: app.id, beside: app.beside, keep: true });
          }
        } catch (error) {
          if (error.name === "AbortError" || signal.aborted) return;
          return app.refused(error);
        }
      }
    }
  }

  app.on("opened", follow);
  app.on("lost", stop);
  addEventListener("pagehide", stop);
}
