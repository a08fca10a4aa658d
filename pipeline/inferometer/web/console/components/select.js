// @ts-check
/** Choices of one: a list to open, or a few side by side. */

import { freshId, h, replace } from "./dom.js";

/** @typedef {{value: string, label: string}} Option */

/**
 * @param {{label: string, options: Option[], value: string, onChange: (value: string) => void,
 *   isLabelHidden?: boolean}} options
 */
export function select({ label, options, value, onChange, isLabelHidden = false }) {
  const list = h("select", {
    class: "select",
    on: { change: () => onChange(list.value) },
  });
  const element = h(
    "label",
    { class: "field" },
    h("span", { class: isLabelHidden ? "sr-only" : "field-label" }, label),
    list,
  );
  let drawn = "";
  const set = (/** @type {string} */ chosen, /** @type {Option[]} */ offered = options) => {
    const all = offered.some((one) => one.value === chosen)
      ? offered
      : [...offered, { value: chosen, label: chosen }];
    const key = JSON.stringify(all);
    if (key !== drawn) {
      replace(list, all.map((one) => h("option", { value: one.value }, one.label)));
    }
    drawn = key;
    list.value = chosen;
  };
  set(value);
  return { element, set };
}

/**
 * @param {{label: string, options: Option[], value: string, onChange: (value: string) => void}}
 *   options
 */
export function segmented({ label, options, value, onChange }) {
  const name = freshId("segment");
  const inputs = options.map((option) =>
    h("input", {
      type: "radio",
      name,
      value: option.value,
      class: "sr-only",
      on: { change: () => onChange(option.value) },
    })
  );
  const element = h(
    "fieldset",
    { class: "segmented" },
    h("legend", { class: "sr-only" }, label),
    options.map((option, at) => h("label", {}, inputs[at], h("span", {}, option.label))),
  );
  const set = (/** @type {string} */ chosen) => {
    for (const input of inputs) input.checked = input.value === chosen;
  };
  set(value);
  return { element, set };
}
