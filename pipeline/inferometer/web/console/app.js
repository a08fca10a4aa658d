// @ts-check
/** The console: who is signed in, which page is open, what the API can be asked. */

import { library } from "./charts/library.js";
import { warmUp } from "./charts/warm_up.js";
import { toast } from "./components/toast.js";
import { errorState, skeleton } from "./components/states.js";
import { h, replace } from "./components/dom.js";
import { context } from "./context.js";
import { formatInstant, formatValue } from "./format.js";
import { Api, ApiError } from "./shell/api.js";
import { writeFilter, writeNames } from "./shell/filters.js";
import { Layout } from "./shell/layout.js";
import { startPreferences } from "./shell/preferences.js";
import { DEFAULT_FROM, DEFAULT_TO, granularityFor, instantOf } from "./shell/ranges.js";
import { Refresher } from "./shell/refresher.js";
import { pageNamed, PAGES } from "./shell/router.js";
import { askForToken, tokenOfAddress } from "./shell/session.js";
import { startShortcuts } from "./shell/shortcuts.js";
import { changed, UrlState } from "./shell/state.js";

/** @import { DimensionInfo, Filter, Me, MeasureInfo, Page, PageView } from "./types.js" */

const DAY_S = 86_400;
const ROLES = ["viewer", "operator", "admin"];

export class App {
  /** @type {Page | null} */
  page = null;
  /** @type {PageView | null} */
  #view = null;
  #address = "";
  /** @type {AbortController | null} */
  #opening = null;
  /** @type {(() => void)[]} */
  #cleanups = [];
  #isAsking = false;

  constructor() {
    /** @type {Me} */
    this.me = { name: "", role: "viewer", workspace: null, expires_at: null };
    /** @type {Map<string, MeasureInfo>} */
    this.measures = new Map();
    /** @type {DimensionInfo[]} */
    this.dimensions = [];
    this.api = new Api(() =>
      this.#signIn("The session has ended. Sign in to go on where you were.")
    );
    this.state = new UrlState(() => this.#follow());
    this.refresher = new Refresher(this);
    this.layout = new Layout(this);
  }

  get zone() {
    return this.state.zone;
  }

  async start() {
    startPreferences();
    startShortcuts(this);
    document.addEventListener("click", (event) => this.#clickLink(event));
    const token = tokenOfAddress();
    if (token) await this.#openSession(token);
    // All at once: the first view waits for the slowest, not for the sum.
    const catalogues = this.#loadCatalogues();
    const me = this.api.get("/me");
    this.#askAhead();
    try {
      this.me = await me;
    } catch (error) {
      // A 401 has opened the sign-in already.
      if (!(error instanceof ApiError) || error.status !== 401) this.#failToStart(error);
      return;
    }
    await this.#begin(catalogues);
  }

  /** What the page will ask needs neither who asks nor what measures are called. */
  async #askAhead() {
    const found = await pageNamed(this.state.page)?.load();
    for (const [path, params] of found?.page.first(this) ?? []) this.api.askAhead(path, params);
    // It comes, and is made ready, while the store looks for the answers, not after them.
    if (found?.page.hasCharts) {
      library().then((echarts) => warmUp(echarts, this.zone), () => {});
    }
    // What the words for numbers and times are loaded from takes its time; there is some now.
    formatValue(0, "usd");
    formatInstant(Date.now(), this.zone);
  }

  /** @param {string} token */
  async #openSession(token) {
    try {
      await this.api.post("/session", { token });
    } catch (error) {
      this.toast(`The token of the link is not accepted: ${error}`, { kind: "bad" });
    }
  }

  /** @param {unknown} error */
  #failToStart(error) {
    const root = /** @type {HTMLElement} */ (document.getElementById("app"));
    replace(root, errorState(error, () => location.reload()));
    setTimeout(() => location.reload(), 10_000);
  }

  /** @param {Promise<void>} catalogues */
  async #begin(catalogues) {
    this.layout.show();
    if (!pageNamed(this.state.page)) this.state.go(this.href("overview"), { replace: true });
    await catalogues;
    await this.#follow();
    this.api.forgetAhead();
  }

  async #loadCatalogues() {
    const [measures, dimensions] = await Promise.allSettled([
      this.api.get("/measures"),
      this.api.get("/dimensions"),
    ]);
    if (measures.status === "fulfilled") {
      this.measures = new Map(
        measures.value.measures.map((/** @type {MeasureInfo} */ one) => [one.name, one]),
      );
    }
    if (dimensions.status === "fulfilled") this.dimensions = dimensions.value.dimensions;
    if (measures.status === "rejected" && measures.reason?.status !== 401) {
      this.toast(`No catalogue: ${measures.reason}`, { kind: "bad" });
    }
  }

  /**
   * Ask for a token; afterwards everything goes on where it was.
   * @param {string} reason
   */
  async #signIn(reason) {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.refresher.stop();
    const { role, workspace } = this.me;
    this.me = await askForToken(this.api, reason);
    this.#isAsking = false;
    const entry = pageNamed(this.state.page);
    const isAnother = role !== this.me.role || workspace !== this.me.workspace;
    // Somebody else may do and see other things: the page is built for who looks at it.
    if (this.page && entry && isAnother) await this.#open(entry);
    else if (this.page) await this.refresh();
    else await this.#begin(this.#loadCatalogues());
  }

  /** Show what the URL says: another page, or the same one with another state. */
  async #follow() {
    const page = pageNamed(this.state.page);
    if (!page) {
      this.state.go(this.href("overview"), { replace: true });
      return;
    }
    if (page.name === this.page?.name) {
      this.layout.update();
      await this.refresh();
      return;
    }
    await this.#open(page);
  }

  /** @param {import("./shell/router.js").PageEntry} entry */
  async #open(entry) {
    this.#opening?.abort();
    const opening = new AbortController();
    this.#opening = opening;
    this.#close();
    this.#address = entry.name;
    const root = h(
      "div",
      { class: `page page-${entry.name}` },
      skeleton("tiles"),
      skeleton("chart"),
    );
    this.layout.setPage(entry, root);
    try {
      const { page } = await entry.load();
      if (opening.signal.aborted) return;
      this.page = page;
      this.layout.update();
      replace(root);
      this.#view = page.create(root, this);
    } catch (error) {
      console.error(error);
      this.layout.setState("error");
      replace(root, errorState(error, () => this.#open(entry)));
      return;
    }
    await this.refresh();
    this.layout.focusTitle();
  }

  #close() {
    this.refresher.stop();
    for (const run of this.#cleanups.splice(0)) run();
    this.#view?.destroy();
    this.#view = null;
    this.page = null;
    this.layout.clearNotes();
  }

  /** Ask the page to draw what is now; errors stay on the screen until it works. */
  async refresh() {
    const view = this.#view;
    if (view) await this.refresher.run(view, this.#address);
  }

  /**
   * @param {string} name
   * @returns {MeasureInfo}
   */
  measure(name) {
    return this.measures.get(name) ?? this.#percentile(name) ??
      { name, label: name, unit: "count", definition: "", higher_is_worse: null };
  }

  /**
   * A measure's value in words.
   * @param {string} name
   * @param {number | null | undefined} value
   * @returns {string}
   */
  text(name, value) {
    return formatValue(value, this.measure(name).unit, { name });
  }

  /**
   * A quantile that the catalogue does not list by itself, such as `ttft_p99.9_ms`.
   * @param {string} name
   * @returns {MeasureInfo | null}
   */
  #percentile(name) {
    const [, duration, percent] = /^(\w+)_p([\d.]+)_ms$/.exec(name) ?? [];
    const model = duration && this.measures.get(`${duration}_p50_ms`);
    if (!model) return null;
    const swap = (/** @type {string} */ text) =>
      text.replaceAll(/\b([pP])50\b/g, `$1${percent}`).replaceAll(
        "0.5 ",
        `${Number(percent) / 100} `,
      );
    return { ...model, name, label: swap(model.label), definition: swap(model.definition) };
  }

  /**
   * @param {string} name
   * @returns {string}
   */
  dimensionLabel(name) {
    if (name.startsWith("metadata.")) return name.slice("metadata.".length);
    return this.dimensions.find((one) => one.name === name)?.label ?? name;
  }

  /**
   * @param {string} role
   * @returns {boolean}
   */
  can(role) {
    return ROLES.indexOf(this.me.role) >= ROLES.indexOf(role);
  }

  /** The length of the range as the browser's clock has it. */
  get span_s() {
    const now_ms = Date.now();
    const { from, to, zone } = this.state;
    const span_s = (instantOf(to, zone, now_ms) - instantOf(from, zone, now_ms)) / 1000;
    return span_s > 0 ? span_s : DAY_S;
  }

  /** The granularity to ask for: the URL's, else one that charts show well. */
  get granularity() {
    return granularityFor(this.state.get("granularity", "auto"), this.span_s);
  }

  /**
   * The parameters that every question has, and some more.
   * @param {Record<string, any>} [extra]
   * @returns {URLSearchParams}
   */
  query(extra = {}) {
    const { state } = this;
    const common = new URLSearchParams({ from: state.from, to: state.to, time_zone: state.zone });
    if (state.workspace) common.set("workspace", state.workspace);
    for (const text of state.all("filter")) common.append("filter", text);
    const { group_by: names } = extra;
    return changed(common, names ? { ...extra, group_by: writeNames([names].flat()) } : extra);
  }

  /**
   * @param {string} page
   * @param {Record<string, string | number | string[] | null>} [params]
   * @param {{keepFilters?: boolean}} [options]
   */
  href(page, params = {}, options = {}) {
    return this.state.href(page, params, options);
  }

  /** @param {string} href */
  go(href) {
    this.state.go(href);
  }

  /**
   * A link to the log rows behind a number.
   * @param {{from?: string | number, to?: string | number, filters?: Filter[]}} place
   * @returns {string}
   */
  logsHref({ from, to, filters = [] }) {
    const added = new Set(filters.map((one) => one.dimension));
    const kept = this.state.filters.filter((one) => !added.has(one.dimension));
    return this.href("logs", {
      from: instantText(from) ?? this.state.get("from"),
      to: instantText(to) ?? this.state.get("to"),
      filter: [...kept, ...filters].map(writeFilter),
    });
  }

  /** @param {{from?: string | number, to?: string | number, filters?: Filter[]}} place */
  toLogs(place) {
    this.go(this.logsHref(place));
  }

  /** @param {any} answer */
  noteAnswer(answer) {
    this.layout.noteAnswer(answer);
  }

  /**
   * @param {string} text
   * @param {{kind?: "info" | "good" | "bad"}} [options]
   */
  toast(text, options = {}) {
    toast(text, options);
  }

  /**
   * Run something when the page is left.
   * @param {() => void} run
   */
  onCleanup(run) {
    this.#cleanups.push(run);
  }

  /**
   * Links of our own change the URL without loading the page anew.
   * @param {MouseEvent} event
   */
  #clickLink(event) {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (
      !link || !isPlain || event.defaultPrevented || link.target || link.hasAttribute("download")
    ) return;
    const target = new URL(link.href);
    if (target.origin !== location.origin || !pageNamed(target.pathname.split("/")[1])) return;
    event.preventDefault();
    this.go(link.href);
  }

  /** The range to go back to. */
  resetRange() {
    this.state.set({ from: null, to: null, granularity: null });
  }

  get isDefaultRange() {
    return this.state.from === DEFAULT_FROM && this.state.to === DEFAULT_TO;
  }

  get pages() {
    return PAGES;
  }
}

/**
 * @param {string | number | undefined} instant
 * @returns {string | null}
 */
function instantText(instant) {
  if (instant === undefined) return null;
  return typeof instant === "number" ? new Date(instant).toISOString() : instant;
}

// The module is also loaded by tests of its parts, which have no page.
if (document.getElementById("app")) {
  context.app = new App();
  context.app.start();
}
