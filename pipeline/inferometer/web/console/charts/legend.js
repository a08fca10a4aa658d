// @ts-check
/** The names of a chart's series as buttons: one click shows a series alone, another all again. */

import { h, replace } from "../components/dom.js";
import { colorName } from "./chart_options.js";

/** @import { ChartSeries } from "../types.js" */

export class Legend {
  #drawn = "";

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {Set<string>} */
    this.hidden = new Set();
    /** @type {ChartSeries[]} */
    this.series = [];
    this.element = h("div", { class: "legend", role: "group", "aria-label": "Series" });
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
    replace(this.element, this.series.map((one) => this.#button(one)));
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
    const again = this.element.children[at];
    if (again instanceof HTMLElement) again.focus();
    this.onChange();
  }
}
