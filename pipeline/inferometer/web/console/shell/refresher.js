// @ts-check
/** Draws a page again when the URL changes and as time goes by; never two answers at once. */

import { errorState } from "../components/states.js";
import { instantOf, isRelative } from "./ranges.js";

const LIVE_EVERY_MS = 10_000;
const EVERY_MS = 30_000;
const LONG_RANGE_MS = 2 * 86_400_000;
const RETRY_MS = 5000;
/** A bar that flashes on each quick answer would be noise. */
const BAR_AFTER_MS = 250;

export class Refresher {
  /** @type {AbortController | null} */
  #running = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #hasDrawn = false;
  #address = "";

  /** @param {import("../app.js").App} app */
  constructor(app) {
    this.app = app;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#isDue) this.app.refresh();
    });
  }

  #isDue = false;

  /**
   * @param {import("../types.js").PageView} view
   * @param {string} address of the page; another one starts anew
   */
  async run(view, address) {
    this.#running?.abort();
    clearTimeout(this.#timer);
    const running = new AbortController();
    this.#running = running;
    if (address !== this.#address) this.#hasDrawn = false;
    this.#address = address;
    const { layout } = this.app;
    const bar = setTimeout(() => layout.setBusy(true), BAR_AFTER_MS);
    if (!this.#hasDrawn) layout.setState("loading");
    let wait_ms = this.#everyMs();
    try {
      await view.refresh(running.signal);
      if (running.signal.aborted) return;
      this.#hasDrawn = true;
      layout.setProblem(null);
      layout.setState("ready");
    } catch (error) {
      if (running.signal.aborted || isAbort(error)) return;
      wait_ms = this.#fail(error);
    } finally {
      clearTimeout(bar);
      if (this.#running === running) layout.setBusy(false);
    }
    this.#plan(wait_ms);
  }

  /**
   * @param {any} error
   * @returns {number} when to try again
   */
  #fail(error) {
    if (!("status" in Object(error))) console.error(error);
    this.app.layout.setState(this.#hasDrawn ? "ready" : "error");
    // A question that cannot be answered as it is asked: offer one that can.
    const href = this.app.href(this.app.state.page, { from: null, to: null, filter: null });
    const actions = error?.status === 400 ? [{ label: "Last 24 hours, no filters", href }] : [];
    const problem = errorState(error, () => this.app.refresh(), actions);
    this.app.layout.setProblem(problem, !this.#hasDrawn);
    // What was asked wrongly stays wrong until somebody changes it.
    const isWorthRetrying = [0, 429, 500, 502, 503, 504].includes(error?.status);
    return isWorthRetrying ? (error.retryAfter_s ?? 0) * 1000 || RETRY_MS : 0;
  }

  /** How often a page of this range is worth drawing; 0 for never. */
  #everyMs() {
    const { app } = this;
    const chosen = app.state.get("refresh");
    if (chosen === "off" || app.page?.controls.refresh === false) return 0;
    if (chosen) return Number.parseInt(chosen, 10) * 1000 || 0;
    if (!isRelative(app.state.to) && app.page?.controls.range !== false) return 0;
    const span = instantOf(app.state.to, app.zone, Date.now()) -
      instantOf(app.state.from, app.zone, Date.now());
    return span > LONG_RANGE_MS ? EVERY_MS : LIVE_EVERY_MS;
  }

  /** @param {number} wait_ms */
  #plan(wait_ms) {
    clearTimeout(this.#timer);
    this.#isDue = false;
    if (wait_ms <= 0) return;
    this.#timer = setTimeout(() => {
      if (document.hidden) this.#isDue = true;
      else this.app.refresh();
    }, wait_ms);
  }

  stop() {
    this.#running?.abort();
    clearTimeout(this.#timer);
    this.#isDue = false;
    this.#address = "";
  }
}

/** @param {unknown} error */
function isAbort(error) {
  return error instanceof DOMException && error.name === "AbortError";
}
