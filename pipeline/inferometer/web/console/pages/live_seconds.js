// @ts-check
/** The last five minutes by second and model, put together from a snapshot and what follows it. */

import { OTHER } from "../words.js";

/**
 * What an event of `/live` carries: seconds, and by model a list over them.
 * @typedef {object} LiveEvent
 * @property {string} now
 * @property {string | null} watermark
 * @property {string[]} seconds
 * @property {string[]} models
 * @property {Record<string, number[]>} requests
 * @property {Record<string, number[]>} failures
 * @property {Record<string, number[]>} output_tokens
 * @property {Record<string, number[]>} cost_usd
 */

/** @typedef {"requests" | "failures" | "output_tokens" | "cost_usd"} LiveNumber */

export const KEPT_S = 300;

/** So many models have a series of their own, as in the spend below; the others are one. */
export const SHOWN_MODELS = 7;

/** The numbers of the last seconds; a second that is told again replaces what was known of it. */
export class LiveSeconds {
  constructor() {
    /** @type {Map<string, LiveEvent & {at: number}>} which event last told of a second */
    this.told = new Map();
    /** @type {string | null} */
    this.watermark = null;
    /** @type {string[]} */
    this.shown = [];
    this.minute = "";
  }

  /** @param {LiveEvent} event */
  restart(event) {
    this.told.clear();
    this.minute = "";
    this.take(event);
  }

  /** @param {LiveEvent} event */
  take(event) {
    this.watermark = event.watermark;
    event.seconds.forEach((second, at) => this.told.set(second, { ...event, at }));
    const kept = [...this.told.keys()].sort().slice(0, -KEPT_S);
    for (const second of kept) this.told.delete(second);
  }

  /** @returns {string[]} */
  get seconds() {
    return [...this.told.keys()].sort();
  }

  /**
   * The models that are told apart, the busiest when the minute began first, and then the others. An
   * order that changed with each second would jump about under the reader's pointer.
   * @returns {string[]}
   */
  get models() {
    const ranked = this.#ranked();
    const minute = this.seconds.at(-1)?.slice(0, 16) ?? "";
    if (minute !== this.minute) this.shown = [];
    this.minute = minute;
    const added = ranked.filter((model) => !this.shown.includes(model) && model !== OTHER);
    this.shown = [...this.shown, ...added].slice(0, SHOWN_MODELS);
    return ranked.every((model) => this.shown.includes(model))
      ? this.shown
      : [...this.shown, OTHER];
  }

  #ranked() {
    /** @type {Map<string, number>} */
    const requests = new Map();
    for (const told of this.told.values()) {
      for (const model of told.models) {
        requests.set(model, (requests.get(model) ?? 0) + told.requests[model][told.at]);
      }
    }
    return [...requests].sort((a, b) => b[1] - a[1]).map(([model]) => model);
  }

  /**
   * @param {LiveNumber} number
   * @param {string} model one of `models`
   * @returns {number[]}
   */
  values(number, model) {
    return this.seconds.map((second) => {
      const told = this.told.get(second);
      if (told === undefined) return 0;
      const counted = model === OTHER
        ? told.models.filter((one) => !this.shown.includes(one))
        : [model];
      return counted.reduce((sum, one) => sum + (told[number][one]?.[told.at] ?? 0), 0);
    });
  }

  /**
   * The sum over all models of the last seconds that are complete.
   * @param {LiveNumber} number
   * @param {number} span_s
   * @returns {number}
   */
  sum(number, span_s) {
    const complete = this.seconds.filter((second) => this.isFinal(second)).slice(-span_s);
    return complete.reduce((sum, second) => {
      const told = this.told.get(second);
      if (!told) return sum;
      return told.models.reduce((all, model) => all + told[number][model][told.at], sum);
    }, 0);
  }

  /**
   * @param {string} second
   * @returns {boolean}
   */
  isFinal(second) {
    return this.watermark !== null && Date.parse(second) + 1000 <= Date.parse(this.watermark);
  }
}
