// @ts-check
/**
 * The names of a chart's series as buttons: one click shows a series alone, another all again. Names
 * that need a second line are behind a button, as a page has a dozen charts of the same series.
 */

import { h, replace, setText } from "../components/dom.js";
import { colorName } from "./chart_options.js";

/** @import { ChartSeries } from "../types.js" */

/** More than one line of names is higher than this. */
const LINE_PX = 30;

export class Legend {
  #drawn = "";

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {Set<string>} */
    this.hidden = new Set();
    /** @type {ChartSeries[]} */
    this.series = [];
    this.items = h("div", { class: "legend-items" });
    this.more = h("button", {
      class: "legend-item legend-more",
      type: "button",
      hidden: true,
      on: { click: () => this.#open(!this.isOpen) },
    });
    this.element = h(
      "div",
      { class: "legend", role: "group", "aria-label": "Series" },
      this.items,
      this.more,
    );
    this.#open(false);
  }

  get isOpen() {
    return this.more.getAttribute("aria-expanded") === "true";
  }

  /** @param {boolean} isOpen */
  #open(isOpen) {
    this.more.setAttribute("aria-expanded", String(isOpen));
    setText(this.more, isOpen ? "Fewer" : `All ${this.series.length}`);
  }

  /** Offer the names of further lines, if there are any; to be called when sizes are known. */
  fit() {
    this.more.hidden = this.items.scrollHeight <= LINE_PX;
  }

  /** @param {ChartSeries[]} series */
  set(series) {
    this.series = series;
    const keys = new Set(series.map((one) => one.key));
    for (const key of this.hidden) if (!keys.has(key)) this.hidden.delete(key);
    if (this.hidden.size >= series.length) this.hidden.clear();
    this.#draw();
  }

  #draw() {
    const key = JSON.stringify([
      this.series.map((one) => [one.key, one.label, colorName(one), one.isDashed]),
      [...this.hidden],
    ]);
    if (key === this.#drawn) return;
    this.#drawn = key;
    this.element.hidden = this.series.length < 2 && !this.series[0]?.isOther;
    replace(this.items, this.series.map((one) => this.#button(one)));
    this.#open(this.isOpen);
  }

  /** @param {ChartSeries} series */
  #button(series) {
    const swatch = h("span", { class: series.isDashed ? "swatch swatch-dashed" : "swatch" });
    swatch.style.setProperty("--swatch", `var(${colorName(series)})`);
    return h(
      "button",
      {
        class: "legend-item",
        type: "button",
        "aria-pressed": String(!this.hidden.has(series.key)),
        title: `${series.label}: click to show it alone, Ctrl+click to hide it`,
        on: {
          click: (/** @type {MouseEvent} */ event) =>
            this.#press(series.key, event.ctrlKey || event.metaKey),
        },
      },
      swatch,
      h("span", { class: "legend-label" }, series.label),
    );
  }

  /**
   * @param {string} key
   * @param {boolean} isToggle
   */
  #press(key, isToggle) {
    const others = this.series.map((one) => one.key).filter((one) => one !== key);
    const isAlone = !this.hidden.has(key) && others.every((one) => this.hidden.has(one));
    if (isToggle) {
      if (!this.hidden.delete(key)) this.hidden.add(key);
    } else {
      this.hidden = new Set(isAlone ? [] : others);
    }
    const at = this.series.findIndex((one) => one.key === key);
    this.#draw();
    const again = this.items.children[at];
    if (again instanceof HTMLElement) again.focus();
    this.onChange();
  }
}
