// The server: what is asked of it. The token comes in the address's fragment, leaves the address bar at once and goes into a header.

/** What the server refused, with the words that it gave. */
export class Refused extends Error {
  constructor(status, words, remedy, gone = false) {
    super(words);
    this.status = status;
    this.remedy = remedy ?? null;
    this.gone = gone; // what was asked about is not there any more
  }
}

let token = null;
const watchers = { away: () => {}, back: () => {} };

/** Takes the token, as the address or this tab had it. */
export function useToken(given) {
  token = given;
  try {
    if (given) sessionStorage.setItem("cfgraph-token", given);
    else token = sessionStorage.getItem("cfgraph-token");
  } catch {
    // A browser without storage keeps it in memory alone.
  }
}

/** Who is told when the server or the store is away, and when it is back. */
export const watch = (given) => Object.assign(watchers, given);

async function refusal(response) {
  let told = {};
  try {
    told = await response.json();
  } catch {
    // The status says it.
  }
  if (response.status === 401 && !told.error) told = { error: "this page has no token, or an old one", remedy: "open the address that cfgraph explore printed" };
  return new Refused(response.status, told.error ?? `the server answered ${response.status}`, told.remedy, told.gone === true);
}

async function once(path, { body, signal }) {
  let response;
  try {
    response = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers: { Authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "the explorer does not answer", "was it ended? cfgraph explore starts it again");
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

const pause = (milliseconds, signal) =>
  new Promise((done, failed) => {
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      failed(new DOMException("aborted", "AbortError"));
    });
  });

/** Asks; where `patient`, a store or server that is away is asked again and again, and the page says so meanwhile. */
export async function ask(path, body, { signal, patient = false } = {}) {
  for (let tried = 0; ; tried += 1) {
    try {
      const response = await once(path, { body, signal });
      if (patient) watchers.back();
      return response;
    } catch (error) {
      const away = error instanceof Refused && (error.status === 0 || error.status === 503);
      if (!patient || !away) throw error;
      const seconds = Math.min(10, 2 ** tried);
      watchers.away(error, seconds);
      await pause(seconds * 1000, signal);
    }
  }
}

export const askJson = async (path, body, options) => (await ask(path, body, options)).json();

export const askBytes = async (path, body, options) => (await ask(path, body, options)).arrayBuffer();

export const askBlob = async (path, body, options) => {
  const response = await ask(path, body, options);
  const name = /filename="?([^";]+)"?/.exec(response.headers.get("Content-Disposition") ?? "")?.[1];
  return { blob: await response.blob(), name };
};

/** The messages of a stream, one after the other, until it ends. EventSource could not send the token. */
export async function* stream(path, { signal } = {}) {
  const response = await once(path, { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (kept + value).split("\n");
      kept = lines.pop();
      for (const line of lines) if (line.startsWith("data:")) yield JSON.parse(line.slice(5));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
