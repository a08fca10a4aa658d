// @ts-check
/** The filter button of a page and, below it, what is filtered. */

import { MATCH_WORDS, withFilter } from "../shell/filters.js";
import { h, icon, replace } from "./dom.js";
import { ValueList, valuesOf } from "./multi_select.js";
import { popover } from "./popover.js";
import { segmented, select } from "./select.js";
import { tags } from "./tags.js";

/** @import { Filter } from "../types.js" */

const MATCHES = Object.entries(MATCH_WORDS).map(([value, label]) => ({ value, label }));

export class FilterBar {
  /** @type {string[] | null} */
  #metadataKeys = null;

  /** @param {import("../app.js").App} app */
  constructor(app) {
    this.app = app;
    this.button = h(
      "button",
      { class: "button", type: "button", title: "Filter (f)" },
      icon("filter"),
      "Filter",
    );
    this.tags = tags({
      label: (dimension) => app.dimensionLabel(dimension),
      onChange: (filters) => app.state.setFilters(filters),
      onEdit: (filter) => this.#edit(filter),
    });
    /** Pages put their own controls here: view by, granularity. */
    this.slot = h("div", { class: "row filter-slot" });
    const box = h("div", { class: "filter-box" }, this.button);
    this.element = h(
      "div",
      { class: "filter-bar" },
      h("div", { class: "row filter-line" }, this.slot, box),
      this.tags.element,
    );
    /** @type {Filter | null} */
    this.edited = null;
    this.panel = popover(this.button, {
      label: "Filter",
      class: "filter-popover",
      onOpen: (panel) => this.#draw(panel),
    });
  }

  open() {
    if (!this.button.hidden) this.panel.open();
  }

  update() {
    const { page, state } = this.app;
    const offered = page?.controls.filters ?? [];
    this.button.hidden = offered.length === 0;
    this.tags.set(offered.length === 0 ? [] : state.filters);
    this.element.hidden = offered.length === 0 && this.slot.childElementCount === 0;
  }

  /** @param {Filter} filter */
  #edit(filter) {
    this.edited = filter;
    this.panel.open();
  }

  /** @returns {{value: string, label: string}[]} */
  #dimensions() {
    const { app } = this;
    const first = app.page?.controls.filters ?? [];
    const others = app.dimensions.map((one) => one.name).filter((name) => !first.includes(name));
    const keys = (this.#metadataKeys ?? []).map((key) => `metadata.${key}`);
    return [...first, ...keys, ...others].map((value) => ({
      value,
      label: value.startsWith("metadata.")
        ? `${app.dimensionLabel(value)} (metadata)`
        : app.dimensionLabel(value),
    }));
  }

  /** @param {HTMLElement} panel */
  #draw(panel) {
    const { app } = this;
    const first = this.edited ?? app.state.filters[0];
    this.edited = null;
    const dimensions = this.#dimensions();
    let dimension = first?.dimension ?? dimensions[0]?.value ?? "model";
    /** @type {Filter["match"]} */
    let match = first?.match ?? "=";
    /** @type {ValueList | null} */
    let list = null;
    const values = h("div", {});
    const drawValues = () => {
      list?.stop();
      const current = app.state.filters.find((one) =>
        one.dimension === dimension && one.match === match
      );
      list = new ValueList({
        label: app.dimensionLabel(dimension),
        load: valuesOf(app, dimension),
        selected: current?.values ?? [],
        onChange: (chosen) => this.#apply(dimension, match, chosen),
      });
      replace(values, list.element);
    };
    const chooser = select({
      label: "Dimension",
      options: dimensions,
      value: dimension,
      onChange: (value) => {
        dimension = value;
        drawValues();
      },
    });
    const how = segmented({
      label: "Match",
      options: MATCHES,
      value: match,
      onChange: (value) => {
        match = /** @type {Filter["match"]} */ (value);
        drawValues();
      },
    });
    replace(panel, h("div", { class: "stack" }, chooser.element, how.element, values));
    drawValues();
    this.#loadMetadataKeys().then(() => chooser.set(dimension, this.#dimensions()));
  }

  /**
   * @param {string} dimension
   * @param {Filter["match"]} match
   * @param {string[]} values
   */
  #apply(dimension, match, values) {
    const { state } = this.app;
    state.setFilters(withFilter(state.filters, { dimension, match, values }));
  }

  async #loadMetadataKeys() {
    this.#metadataKeys ??= await metadataKeys(this.app);
  }
}

/**
 * The metadata keys that requests of the range carry.
 * @param {import("../app.js").App} app
 * @returns {Promise<string[]>}
 */
export async function metadataKeys(app) {
  try {
    const answer = await app.api.get("/metadata-keys", app.query({ filter: null, limit: 100 }));
    return answer.values.map((/** @type {{value: string}} */ one) => one.value);
  } catch {
    // Filtering by columns still works; the log that keys come from may be gone.
    return [];
  }
}
