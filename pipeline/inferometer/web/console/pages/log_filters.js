// @ts-check
/** The filters of the log: request id, model, status code or class, user, final attempts. */

/** @import { App } from "../app.js" */

import { h, icon } from "../components/dom.js";
import { multiSelect, valuesOf } from "../components/multi_select.js";
import { withFilter } from "../shell/filters.js";
import { STATUS_CLASSES } from "../words.js";
import { spanQuery } from "./span_query.js";

/** Codes that are worth offering before the log has shown any. */
const USUAL_CODES = ["200", "400", "401", "403", "404", "408", "500", "502", "503", "504"];

/**
 * @param {App} app
 * @returns {{element: HTMLElement, set: () => void}}
 */
export function logFilters(app) {
  const search = requestSearch(app);
  const model = dimensionSelect(app, "Model", "model");
  const user = dimensionSelect(app, "User", "user_id");
  const status = multiSelect({
    label: "Status",
    load: (prefix, signal) => statusValues(app, prefix, signal),
    selected: app.state.all("status"),
    onChange: (values) => app.state.set({ status: values, cursor: null }),
  });
  const box = /** @type {HTMLInputElement} */ (h("input", {
    type: "checkbox",
    on: {
      change: () => app.state.set({ final_only: box.checked ? "true" : null, cursor: null }),
    },
  }));
  const final = h(
    "label",
    { class: "logs-final", title: "Without it, every attempt of a request is a row of its own." },
    box,
    " Final attempts only",
  );
  return {
    element: h(
      "div",
      { class: "logs-filters" },
      search.element,
      model.element,
      status.element,
      user.element,
      final,
    ),
    set() {
      search.set(app.state.get("request_id"));
      model.set(chosen(app, "model"));
      user.set(chosen(app, "user_id"));
      status.set(app.state.all("status"));
      box.checked = app.state.get("final_only") === "true";
    },
  };
}

/** @param {App} app */
function requestSearch(app) {
  const input = /** @type {HTMLInputElement} */ (h("input", {
    type: "search",
    class: "input mono",
    placeholder: "the whole id",
    autocomplete: "off",
    spellcheck: "false",
    // The shell focuses it by the key "/".
    dataset: { search: "" },
    // Emptied by its own cross, or left after a change.
    on: { change: () => ask() },
  }));
  const ask = () => app.state.set({ request_id: input.value.trim() || null, cursor: null });
  const element = h(
    "form",
    {
      role: "search",
      class: "logs-search",
      on: {
        submit: (/** @type {Event} */ event) => {
          event.preventDefault();
          ask();
        },
      },
    },
    h(
      "label",
      { class: "field logs-id-field" },
      h("span", { class: "field-label" }, "Request ID"),
      input,
    ),
    h(
      "button",
      { class: "button", type: "submit", "aria-label": "Search the request ID" },
      icon("search"),
    ),
  );
  return {
    element,
    /** @param {string} value */
    set: (value) => {
      if (document.activeElement !== input) input.value = value;
    },
  };
}

/**
 * A selector whose choice is one of the page's filters, so that it also stands among the tags.
 * @param {App} app
 * @param {string} label
 * @param {string} dimension
 */
function dimensionSelect(app, label, dimension) {
  return multiSelect({
    label,
    load: valuesOf(app, dimension),
    selected: chosen(app, dimension),
    onChange: (values) =>
      app.state.setFilters(withFilter(app.state.filters, { dimension, match: "=", values })),
  });
}

/**
 * @param {App} app
 * @param {string} dimension
 * @returns {string[]}
 */
function chosen(app, dimension) {
  return app.state.filters.find((one) => one.dimension === dimension && one.match === "=")
    ?.values ?? [];
}

/**
 * Classes first, then the codes that the span has, then the usual ones.
 * @param {App} app
 * @param {string} prefix
 * @param {AbortSignal | undefined} signal
 */
async function statusValues(app, prefix, signal) {
  const query = spanQuery(app, { limit: 50 });
  const answer = await app.api.get("/dimensions/status_code/values", query, { signal });
  const found = /** @type {{value: string, requests?: number}[]} */ (answer.values)
    .map((one) => ({ ...one, value: String(one.value) }));
  const known = new Set([...STATUS_CLASSES, ...found.map((one) => one.value)]);
  const usual = USUAL_CODES.filter((code) => !known.has(code)).map((value) => ({ value }));
  const classes = STATUS_CLASSES.map((value) => ({ value }));
  const codes = found.filter((one) => !STATUS_CLASSES.includes(one.value));
  return [...classes, ...codes, ...usual].filter((one) => one.value.startsWith(prefix));
}
