// @ts-check
/** What a chart says about the window under the pointer. */

import { h } from "../components/dom.js";
import { context } from "../context.js";
import { formatInstant, formatValue } from "../format.js";
import { colorName } from "./chart_options.js";

const MOST_ROWS = 12;

/**
 * @param {import("./chart.js").Chart} chart
 * @param {number} index
 * @returns {HTMLElement | string}
 */
export function tooltipOf(chart, index) {
  const { data } = chart;
  if (!data) return "";
  const rows = data.series
    .filter((one) => !chart.legend.hidden.has(one.key))
    .map((series) => ({ series, value: series.values[index] }))
    .filter((row) => row.value !== null && row.value !== undefined)
    .toSorted((a, b) => Number(b.value) - Number(a.value));
  const shown = rows.slice(0, MOST_ROWS);
  const isOpen = data.isFinal[index] === false;
  return h(
    "div",
    { class: "tip" },
    h("div", { class: "tip-time" }, windowLabel(data, index)),
    isOpen && h("div", { class: "tip-open" }, "Not final: rows may still come"),
    shown.map(({ series, value }) =>
      tipRow(series, formatValue(value, chart.unit, { name: chart.measure }))
    ),
    rows.length > shown.length &&
      h("div", { class: "quiet" }, `and ${rows.length - shown.length} more`),
    rows.length === 0 && h("div", { class: "quiet" }, "No values"),
  );
}

/**
 * @param {import("../types.js").ChartSeries} series
 * @param {string} text
 */
function tipRow(series, text) {
  const swatch = h("span", { class: series.isDashed ? "swatch swatch-dashed" : "swatch" });
  swatch.style.setProperty("--swatch", `var(${colorName(series)})`);
  return h(
    "div",
    { class: "tip-row" },
    swatch,
    h("span", { class: "tip-label" }, series.label),
    h("span", { class: "num" }, text),
  );
}

/**
 * A window in words: `2026-11-21 14:00 – 14:05`.
 * @param {import("../types.js").ChartData} data
 * @param {number} index
 * @returns {string}
 */
export function windowLabel(data, index) {
  const [start, end] = [data.windows[index], data.windowEnds[index]];
  const { zone } = context.app;
  const seconds = Date.parse(end) - Date.parse(start) < 60_000;
  const first = formatInstant(start, zone, { seconds });
  const last = formatInstant(end, zone, { seconds });
  return first.slice(0, 10) === last.slice(0, 10)
    ? `${first} – ${last.slice(11)}`
    : `${first} – ${last}`;
}
