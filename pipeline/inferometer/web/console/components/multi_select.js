// @ts-check
/** A choice of several values of a dimension, found by their beginning. */

import { formatCount } from "../format.js";
import { h, icon, replace, setText } from "./dom.js";
import { popover } from "./popover.js";

const WAIT_MS = 150;

/** @typedef {{value: string, requests?: number}} Value */

/**
 * @typedef {object} ValueListOptions
 * @property {string} label
 * @property {(prefix: string, signal: AbortSignal) => Promise<Value[]>} load
 * @property {string[]} selected
 * @property {(values: string[]) => void} onChange
 * @property {(value: string) => string} [nameOf] what a value is called
 */

/** @param {string} value */
const itself = (value) => value === "" ? "(none)" : value;

/** A search field over a list of check boxes. */
export class ValueList {
  #asking = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {Value[]} */
  #found = [];

  /** @param {ValueListOptions} options */
  constructor(options) {
    this.options = options;
    this.selected = new Set(options.selected);
    this.input = h("input", {
      type: "search",
      class: "input",
      placeholder: "Starts with…",
      "aria-label": `Find ${options.label}`,
      autocomplete: "off",
      on: { input: () => this.#plan(), keydown: (/** @type {any} */ event) => this.#press(event) },
    });
    this.list = h("div", { class: "value-list", role: "group", "aria-label": options.label });
    this.element = h("div", { class: "stack" }, this.input, this.list);
    replace(this.list, h("p", { class: "quiet" }, "Loading…"));
    this.#load();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#asking.abort();
  }

  clear() {
    this.selected.clear();
    this.#draw();
    this.options.onChange([]);
  }

  #plan() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#load(), WAIT_MS);
  }

  async #load() {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    try {
      this.#found = await this.options.load(this.input.value, signal);
      if (!signal.aborted) this.#draw();
    } catch (error) {
      if (!signal.aborted) replace(this.list, h("p", { class: "bad-text" }, String(error)));
    }
  }

  #draw() {
    const prefix = this.input.value;
    const missing = [...this.selected].filter((value) =>
      value.startsWith(prefix) && !this.#found.some((one) => one.value === value)
    ).map((value) => ({ value }));
    const shown = /** @type {Value[]} */ ([...missing, ...this.#found]);
    replace(
      this.list,
      shown.map((one) => this.#row(one)),
      shown.length === 0 &&
        h("p", { class: "quiet" }, "No such value in this range. Enter takes the text as it is."),
    );
  }

  /** @param {Value} one */
  #row({ value, requests }) {
    const box = h("input", {
      type: "checkbox",
      checked: this.selected.has(value),
      on: {
        change: () => {
          if (box.checked) this.selected.add(value);
          else this.selected.delete(value);
          this.options.onChange([...this.selected]);
        },
      },
    });
    return h(
      "label",
      { class: "check" },
      box,
      h("span", { class: "check-label" }, (this.options.nameOf ?? itself)(value)),
      requests !== undefined && h("span", { class: "quiet num" }, formatCount(requests)),
    );
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const text = this.input.value.trim();
    if (event.key !== "Enter" || text === "") return;
    event.preventDefault();
    this.selected.add(text);
    this.input.value = "";
    this.options.onChange([...this.selected]);
    this.#load();
  }
}

/**
 * @param {ValueListOptions} options
 */
export function multiSelect({ label, load, selected, onChange, nameOf = itself }) {
  const text = h("span", {});
  const button = h("button", { class: "button", type: "button" }, text, icon("filter"));
  const element = h(
    "div",
    { class: "field" },
    h("span", { class: "field-label" }, label),
    h("span", {}, button),
  );
  let chosen = selected;
  popover(button, {
    label,
    class: "value-popover",
    onOpen: (panel) => {
      const list = new ValueList({ label, load, selected: chosen, onChange: choose, nameOf });
      const clear = h(
        "button",
        { class: "button button-quiet", type: "button", on: { click: () => list.clear() } },
        `All: clear the choice`,
      );
      replace(panel, list.element, clear);
    },
  });
  const set = (/** @type {string[]} */ values) => {
    chosen = values;
    const words = values.length === 0
      ? "All"
      : values.length <= 2
      ? values.map(nameOf).join(", ")
      : `${values.length} chosen`;
    setText(text, words);
    button.setAttribute("aria-label", `${label}: ${words}`);
  };
  const choose = (/** @type {string[]} */ values) => {
    set(values);
    onChange(values);
  };
  set(selected);
  return { element, set };
}

/**
 * How to load the values of a dimension in the range of the page.
 * @param {import("../app.js").App} app
 * @param {string} dimension
 * @returns {(prefix: string, signal: AbortSignal) => Promise<Value[]>}
 */
export function valuesOf(app, dimension) {
  return async (prefix, signal) => {
    const params = {
      from: app.state.from,
      to: app.state.to,
      time_zone: app.zone,
      workspace: app.state.workspace,
      prefix,
      limit: 50,
    };
    const path = `/dimensions/${encodeURIComponent(dimension)}/values`;
    return (await app.api.get(path, params, { signal })).values;
  };
}
