// @ts-check
/** A number with its name, how it changed, and its course. */

import { sparkline } from "../charts/sparkline.js";
import { context } from "../context.js";
import { formatChange, formatValue, NOTHING } from "../format.js";
import { term } from "./definition.js";
import { h, replace, setText } from "./dom.js";

/**
 * @param {{label?: string, measure?: string, definition?: string, unit?: string,
 *   higherIsWorse?: boolean | null, href?: string}} options `measure` gives what the others leave out
 */
export function tile({ label, measure = "", definition, unit, higherIsWorse, href }) {
  const known = measure ? context.app.measure(measure) : null;
  const shownUnit = unit ?? known?.unit ?? "count";
  const isWorse = higherIsWorse === undefined ? known?.higher_is_worse ?? null : higherIsWorse;
  const value = h("span", { class: "tile-value num" }, NOTHING);
  const change = h("span", { class: "change" });
  const note = h("span", { class: "tile-note quiet" });
  const course = h("div", { class: "tile-course" });
  const title = label ?? known?.label ?? measure;
  const element = h(
    "div",
    { class: "tile", role: "group", "aria-label": title, dataset: { measure } },
    h(
      "div",
      { class: "tile-label" },
      term(title, definition ?? known?.definition ?? "", shownUnit),
    ),
    h("div", { class: "tile-main" }, href ? h("a", { href }, value) : value, change),
    note,
    course,
  );
  let drawn = "";
  return {
    element,
    /** @param {string} target where a click on the value goes now */
    lead: (target) => value.parentElement?.setAttribute("href", target),
    /**
     * @param {{value: number | null | undefined, previous?: number | null,
     *   values?: (number | null)[], note?: string}} data
     */
    set({ value: now, previous, values, note: text = "" }) {
      setText(value, formatValue(now, shownUnit, { name: measure }));
      element.dataset.value = String(now ?? "");
      value.title = formatValue(now, shownUnit, { name: measure, isLong: true });
      const difference = formatChange(now, previous, shownUnit, isWorse);
      setText(change, difference.text);
      change.className = `change change-${difference.kind}`;
      change.title = difference.text
        ? `Before: ${formatValue(previous, shownUnit, { name: measure, isLong: true })}`
        : "";
      setText(note, text);
      const key = values?.join() ?? "";
      if (key !== drawn) replace(course, values && sparkline(values));
      drawn = key;
    },
  };
}
