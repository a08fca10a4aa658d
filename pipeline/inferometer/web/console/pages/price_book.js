// @ts-check
/** The price book in force at the end of the span, searchable; amounts by the usual unit. */

/** @import { App } from "../app.js" */

import { h, replace, setText } from "../components/dom.js";
import { segmented } from "../components/select.js";
import { table } from "../components/table.js";
import { formatCount, formatInstant } from "../format.js";
import { createPart, rowsOf } from "./part.js";
import { isPriceOf } from "./price_rules.js";
import { spanQuery } from "./span_query.js";

/**
 * @typedef {object} PriceRow
 * @property {string} version
 * @property {string} source
 * @property {string} provider
 * @property {string} model
 * @property {string} model_match
 * @property {string} unit
 * @property {string | number} usd_per_unit
 * @property {string} effective_from
 * @property {string} effective_to
 * @property {number} min_input_tokens
 * @property {string} traffic_class
 * @property {number} daily_from_us
 * @property {number} daily_to_us
 */

/** A book has thousands of lines; more are drawn when asked for. */
const SHOWN_ROWS = 25;

const MOST_MODELS = 200;

const OPEN_START = "1971";
const OPEN_END = "2199";

/**
 * @param {App} app
 * @param {() => void} onRetry
 */
export function priceBook(app, onRetry) {
  return new PriceBook(app, onRetry);
}

class PriceBook {
  /**
   * @param {App} app
   * @param {() => void} onRetry
   */
  constructor(app, onRetry) {
    this.app = app;
    this.search = this.buildSearch();
    this.choice = segmented({
      label: "Which prices",
      options: [{ value: "used", label: "Models in use" }, { value: "all", label: "All" }],
      value: this.which,
      onChange: (value) =>
        app.state.set({ prices: value === "all" ? value : null }, { replace: true }),
    });
    this.part = createPart({
      title: "Price book in force",
      definition:
        "The prices that requests at the end of the span are priced by. Each request keeps " +
        "the version that priced it.",
      actions: [this.choice.element, this.search],
      onRetry,
    });
    this.element = this.part.element;
    this.about = h("p", { class: "quiet cost-hint", role: "status" });
    this.list = priceTable(app);
    /** @type {PriceRow[]} */
    this.rows = [];
    /** @type {string[]} */
    this.models = [];
    this.asked = "";
  }

  buildSearch() {
    const { state } = this.app;
    const search = h("input", {
      type: "search",
      class: "input",
      placeholder: "Model or provider",
      "aria-label": "Search the price book",
      value: state.get("price"),
      on: {
        input: () => this.draw(),
        // In the URL once it is whole: each change of the URL asks the page anew.
        change: () => state.set({ price: search.value || null }, { replace: true }),
      },
    });
    return search;
  }

  /** @returns {string} */
  get which() {
    return this.app.state.get("prices") === "all" ? "all" : "used";
  }

  draw() {
    // Whoever searches means the whole book.
    const isUsed = this.which === "used" && this.search.value === "";
    const offered = isUsed
      ? this.rows.filter((row) => this.models.some((model) => isPriceOf(row, model)))
      : this.rows;
    const found = matching(offered, this.search.value);
    setText(this.about, aboutText(this.rows, found.length));
    this.list.set(found);
  }

  /** @param {{signal: AbortSignal, after: Promise<any>[]}} options */
  async refresh(options) {
    const { app } = this;
    this.choice.set(this.which);
    // A book changes with days, not with seconds: ask again when the span is another.
    const key = spanQuery(app).toString();
    if (this.asked === key) {
      this.draw();
      return;
    }
    const both = Promise.all([
      app.api.get("/prices", { at: app.state.to, time_zone: app.zone }, options),
      app.api.get("/dimensions/model/values", spanQuery(app, { limit: MOST_MODELS }), options),
    ]);
    await this.part.load(both, ([book, used]) => {
      this.asked = key;
      this.rows = rowsOf(book, "prices");
      this.models = used.values.map((/** @type {{value: string}} */ one) => one.value);
      if (!this.list.element.isConnected) replace(this.part.content, this.about, this.list.element);
      this.draw();
    });
  }
}

/** @param {App} app */
function priceTable(app) {
  return table({
    caption: "Prices",
    maxRows: SHOWN_ROWS,
    sort: { key: "model", isDescending: false },
    rowKey: (row) =>
      [
        row.provider,
        row.model,
        row.model_match,
        row.unit,
        row.effective_from,
        row.min_input_tokens,
        row.traffic_class,
        row.daily_from_us,
      ].join("|"),
    columns: [
      { key: "provider", label: "Provider", value: (row) => row.provider || "any" },
      {
        key: "model",
        label: "Model",
        isRowHeader: true,
        render: (/** @type {PriceRow} */ row) =>
          h("span", { title: row.model_match || row.model }, row.model),
      },
      { key: "unit", label: "Billed unit", value: (row) => unitWords(row.unit) },
      {
        key: "usd_per_unit",
        label: "Price",
        align: "end",
        value: (row) => Number(row.usd_per_unit) * usualAmount(row.unit).amount,
        render: (/** @type {PriceRow} */ row) => priceText(row),
      },
      { key: "condition", label: "Holds", value: (row) => conditionText(row) },
      {
        key: "effective_from",
        label: "From",
        value: (row) => row.effective_from,
        render: (/** @type {PriceRow} */ row) =>
          row.effective_from < OPEN_START
            ? "open"
            : formatInstant(row.effective_from, app.zone).slice(0, 10),
      },
      {
        key: "effective_to",
        label: "Until",
        value: (row) => row.effective_to,
        render: (/** @type {PriceRow} */ row) =>
          row.effective_to > OPEN_END
            ? "open"
            : formatInstant(row.effective_to, app.zone).slice(0, 10),
      },
    ],
    emptyText: "No price here. Look at all prices, or search for a part of the model's name.",
  });
}

/**
 * @param {PriceRow[]} rows
 * @param {string} text
 * @returns {PriceRow[]}
 */
function matching(rows, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return rows;
  return rows.filter((row) => {
    const line = `${row.provider} ${row.model} ${row.model_match} ${row.unit}`.toLowerCase();
    return words.every((word) => line.includes(word));
  });
}

/**
 * @param {PriceRow[]} rows
 * @param {number} found
 * @returns {string}
 */
function aboutText(rows, found) {
  const versions = [...new Set(rows.map((row) => row.version))].join(", ");
  return rows.length === 0
    ? "No price book has priced anything yet."
    : `Version ${versions}: ${formatCount(found, { isLong: true })} of ${
      formatCount(rows.length, { isLong: true })
    } prices.`;
}

/**
 * The amount that people quote a unit's price by.
 * @param {string} unit
 * @returns {{amount: number, words: string}}
 */
function usualAmount(unit) {
  if (unit.endsWith("_tokens")) return { amount: 1e6, words: "a million tokens" };
  if (unit === "characters") return { amount: 1e6, words: "a million characters" };
  if (unit === "audio_in_seconds") return { amount: 3600, words: "an hour" };
  if (unit.endsWith("_seconds")) return { amount: 1, words: "a second" };
  if (unit === "images") return { amount: 1, words: "an image" };
  if (unit === "requests") return { amount: 1, words: "a request" };
  return { amount: 1, words: "a unit" };
}

/**
 * @param {PriceRow} row
 * @returns {Node}
 */
function priceText(row) {
  const { amount, words } = usualAmount(row.unit);
  const usd = Number((Number(row.usd_per_unit) * amount).toPrecision(12));
  const text = new Intl.NumberFormat("en-US", {
    minimumFractionDigits: 2,
    maximumFractionDigits: 9,
  }).format(usd);
  return h(
    "span",
    {},
    h("span", { class: "num" }, `$${text}`),
    h("span", { class: "quiet" }, ` ${words}`),
  );
}

/**
 * @param {string} unit
 * @returns {string}
 */
function unitWords(unit) {
  const words = unit.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/**
 * @param {PriceRow} row
 * @returns {string}
 */
function conditionText(row) {
  const conditions = [];
  if (row.min_input_tokens > 0) {
    conditions.push(`over ${row.min_input_tokens.toLocaleString("en-US")} input tokens`);
  }
  if (row.traffic_class) conditions.push(row.traffic_class);
  if (row.daily_from_us !== row.daily_to_us) {
    conditions.push(`${clock(row.daily_from_us)}–${clock(row.daily_to_us)} UTC`);
  }
  return conditions.join(", ") || "always";
}

/**
 * @param {number} day_us microseconds since midnight
 * @returns {string}
 */
function clock(day_us) {
  return new Date(Number(day_us) / 1000).toISOString().slice(11, 16);
}
