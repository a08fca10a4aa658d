// @ts-check
/** Speaks to the query API: JSON in, problem details as errors, server-sent events for live numbers. */

const BASE = "/api/v1";
const REOPEN_MS = 5000;

export class ApiError extends Error {
  /**
   * @param {number} status 0 where no answer came
   * @param {any} problem
   * @param {number | null} retryAfter_s
   */
  constructor(status, problem, retryAfter_s = null) {
    const title = String(problem?.title ?? `Error ${status}`);
    const detail = String(problem?.detail ?? "");
    super(detail ? `${title}: ${detail}` : title);
    this.name = "ApiError";
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.type = String(problem?.type ?? "about:blank");
    /** @type {{parameter: string, reason: string, remedy: string}[]} */
    this.problems = Array.isArray(problem?.problems) ? problem.problems : [];
    this.retryAfter_s = retryAfter_s;
  }
}

/** @typedef {URLSearchParams | Record<string, any>} Params */

/**
 * @typedef {object} LiveListeners
 * @property {(data: any) => void} onSnapshot
 * @property {(data: any) => void} onSeconds
 * @property {(data: any) => void} [onProblem]
 * @property {() => void} [onOpen]
 */

export class Api {
  /** @param {() => void} onSignedOut called when the server no longer knows who asks */
  constructor(onSignedOut) {
    this.onSignedOut = onSignedOut;
    /** @type {Map<string, Promise<any>>} */
    this.ahead = new Map();
  }

  /**
   * @param {string} path
   * @param {Params} [params]
   * @returns {string}
   */
  url(path, params = {}) {
    const query = searchOf(params);
    return `${BASE}${path}${query.size > 0 ? `?${query}` : ""}`;
  }

  /**
   * @param {string} path
   * @param {Params} [params]
   * @param {{signal?: AbortSignal, after?: Promise<any>[]}} [options] `after`: answers that are
   *   wanted sooner, so this one is asked for once they are in or have failed; where the first of
   *   them, without which the page does not stand, has failed, this one fails with it, unasked
   * @returns {Promise<any>}
   */
  async get(path, params = {}, { signal, after = [] } = {}) {
    await Promise.allSettled(after);
    await after[0];
    signal?.throwIfAborted();
    const url = this.url(path, params);
    const early = this.ahead.get(url);
    if (early === undefined) return await this.#ask("GET", url, undefined, signal);
    this.ahead.delete(url);
    const answer = await early;
    signal?.throwIfAborted();
    return answer;
  }

  /**
   * Ask what `get` will be asked for in a moment; its answer is given once.
   * @param {string} path
   * @param {Params} params
   */
  askAhead(path, params) {
    const url = this.url(path, params);
    const answer = this.#ask("GET", url);
    this.ahead.set(url, answer);
    // Whoever signs in then asks as somebody else; any other failure is an answer too.
    answer.catch((error) => error.status === 401 && this.ahead.delete(url));
  }

  /** Forget what nobody asked for after all: it grows old. */
  forgetAhead() {
    this.ahead.clear();
  }

  /**
   * @param {string} path
   * @param {any} [body]
   * @returns {Promise<any>}
   */
  post(path, body = {}) {
    return this.#ask("POST", this.url(path), body);
  }

  /**
   * @param {string} path
   * @returns {Promise<any>}
   */
  delete(path) {
    return this.#ask("DELETE", this.url(path));
  }

  /**
   * @param {string} method
   * @param {string} url
   * @param {any} [body]
   * @param {AbortSignal} [signal]
   */
  async #ask(method, url, body, signal) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    // A form of another site cannot send this header, so a write is known to be ours.
    if (method !== "GET") headers["X-Inferometer"] = "console";
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(url, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal,
        credentials: "same-origin",
      });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new ApiError(0, {
        title: "No answer from the server",
        detail: "It may be restarting, or the network is away. The console tries again by itself.",
      });
    }
    if (response.ok) return response.status === 204 ? null : await response.json();
    const error = await errorOf(response);
    if (response.status === 401 && !url.endsWith("/session")) this.onSignedOut();
    throw error;
  }

  /**
   * Follow the last minutes, each second. Reconnects by itself; returns how to stop.
   * @param {Params} params
   * @param {LiveListeners} listeners
   * @returns {() => void}
   */
  live(params, listeners) {
    /** @type {EventSource | undefined} */
    let source;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const open = () => {
      source = this.#stream(params, listeners);
      source.addEventListener("error", () => {
        // A refusal closes a stream for good; a lost connection it takes up again by itself.
        if (source?.readyState === EventSource.CLOSED) timer = setTimeout(open, REOPEN_MS);
      });
    };
    open();
    return () => {
      clearTimeout(timer);
      source?.close();
    };
  }

  /**
   * @param {Params} params
   * @param {LiveListeners} listeners
   */
  #stream(params, { onSnapshot, onSeconds, onProblem, onOpen }) {
    const source = new EventSource(this.url("/live", params));
    source.addEventListener("open", () => onOpen?.());
    source.addEventListener("snapshot", (event) => onSnapshot(JSON.parse(event.data)));
    source.addEventListener("seconds", (event) => onSeconds(JSON.parse(event.data)));
    source.addEventListener("problem", (event) => onProblem?.(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.OPEN) {
        onProblem?.({ title: "The live feed is interrupted", detail: "Connecting again." });
      }
    });
    return source;
  }
}

/**
 * @param {Params} params
 * @returns {URLSearchParams}
 */
function searchOf(params) {
  if (params instanceof URLSearchParams) return params;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") query.append(name, String(one));
    }
  }
  return query;
}

/**
 * @param {Response} response
 * @returns {Promise<ApiError>}
 */
async function errorOf(response) {
  const text = await response.text();
  const retry = Number(response.headers.get("Retry-After"));
  let problem;
  try {
    problem = JSON.parse(text);
  } catch {
    problem = { title: response.statusText || `Error ${response.status}` };
  }
  return new ApiError(response.status, problem, retry > 0 ? retry : null);
}
