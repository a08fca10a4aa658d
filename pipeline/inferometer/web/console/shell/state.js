// @ts-check
/**
 * The state of the console is the URL: a link shows what its sender saw, and "back" goes back.
 * Nothing else is remembered, except how the console looks (theme, shortcuts), which is the reader's.
 */

import { readFilter, writeFilter } from "./filters.js";
import { DEFAULT_FROM, DEFAULT_TO, isZone } from "./ranges.js";

/** @import { Filter } from "../types.js" */

/** Parameters that go along from page to page. */
export const CARRIED = ["from", "to", "time_zone", "workspace", "filter"];

export class UrlState {
  /** @param {() => void} onChange called after each change, of ours or of the browser's */
  constructor(onChange) {
    this.onChange = onChange;
    this.path = location.pathname;
    this.params = new URLSearchParams(location.search);
    globalThis.addEventListener("popstate", () => {
      this.read();
      this.onChange();
    });
  }

  read() {
    this.path = location.pathname;
    this.params = new URLSearchParams(location.search);
  }

  /** The first part of the path: which page. */
  get page() {
    return this.path.split("/")[1] ?? "";
  }

  /**
   * @param {string} name
   * @param {string} [fallback]
   * @returns {string}
   */
  get(name, fallback = "") {
    return this.params.get(name) ?? fallback;
  }

  /**
   * @param {string} name
   * @returns {string[]}
   */
  all(name) {
    return this.params.getAll(name);
  }

  get from() {
    return this.get("from", DEFAULT_FROM);
  }

  get to() {
    return this.get("to", DEFAULT_TO);
  }

  get zone() {
    const zone = this.get("time_zone", "UTC");
    return isZone(zone) ? zone : "UTC";
  }

  get workspace() {
    return this.get("workspace");
  }

  /** @returns {Filter[]} */
  get filters() {
    return this.all("filter").map(readFilter).filter((one) => one !== null);
  }

  /** @param {Filter[]} filters */
  setFilters(filters) {
    this.set({ filter: filters.map(writeFilter) });
  }

  /**
   * Change parameters: null and the empty text remove one, a list repeats one.
   * @param {Record<string, string | number | string[] | null>} changes
   * @param {{replace?: boolean}} [options] replace: not a step for "back"
   */
  set(changes, { replace = false } = {}) {
    const params = changed(this.params, changes);
    this.go(params.size > 0 ? `${this.path}?${params}` : this.path, { replace });
  }

  /**
   * @param {string} href
   * @param {{replace?: boolean}} [options]
   */
  go(href, { replace = false } = {}) {
    const target = new URL(href, location.href);
    if (target.href === location.href) return;
    if (replace) history.replaceState(null, "", target);
    else history.pushState(null, "", target);
    this.read();
    this.onChange();
  }

  /**
   * A link to a page that keeps what goes along.
   * @param {string} page
   * @param {Record<string, string | number | string[] | null>} [params]
   * @param {{keepFilters?: boolean}} [options]
   * @returns {string}
   */
  href(page, params = {}, { keepFilters = true } = {}) {
    const kept = new URLSearchParams();
    for (const name of CARRIED) {
      if (name === "filter" && !keepFilters) continue;
      for (const value of this.all(name)) kept.append(name, value);
    }
    const query = changed(kept, params);
    return query.size > 0 ? `/${page}?${query}` : `/${page}`;
  }
}

/**
 * @param {URLSearchParams} params
 * @param {Record<string, string | number | string[] | null>} changes
 * @returns {URLSearchParams}
 */
export function changed(params, changes) {
  const result = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    result.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== "") result.append(name, String(one));
    }
  }
  return result;
}
