// @ts-check
/** The numbers of a chart as a table, for those who read or copy them; each window links to its log. */

import { h } from "../components/dom.js";
import { context } from "../context.js";
import { formatValue } from "../format.js";
import { windowLabel } from "./tooltip.js";

const MOST_ROWS = 500;

/**
 * @param {import("./chart.js").Chart} chart
 * @param {import("../types.js").ChartData} data
 * @returns {HTMLElement}
 */
export function chartTable(chart, data) {
  const indexes = data.windows.map((_, at) => at).reverse().slice(0, MOST_ROWS);
  return h(
    "div",
    {
      class: "table-scroll",
      tabindex: "0",
      role: "region",
      "aria-label": `${chart.settings.title}, table`,
    },
    h(
      "table",
      { class: "table" },
      h("caption", { class: "sr-only" }, chart.settings.title),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Window"),
          data.series.map((one) => h("th", { scope: "col", class: "num" }, one.label)),
        ),
      ),
      h("tbody", {}, indexes.map((at) => line(chart, data, at))),
    ),
  );
}

/**
 * @param {import("./chart.js").Chart} chart
 * @param {import("../types.js").ChartData} data
 * @param {number} at
 */
function line(chart, data, at) {
  const href = context.app.logsHref({ from: data.windows[at], to: data.windowEnds[at] });
  return h(
    "tr",
    {},
    h(
      "th",
      { scope: "row" },
      h("a", { href }, windowLabel(data, at)),
      data.isFinal[at] === false && h("span", { class: "quiet" }, " not final"),
    ),
    data.series.map((one) =>
      h(
        "td",
        { class: "num", dataset: { value: String(one.values[at] ?? "") } },
        formatValue(one.values[at], chart.unit, { name: chart.measure }),
      )
    ),
  );
}
