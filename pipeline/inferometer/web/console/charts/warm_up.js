// @ts-check
/**
 * Draws charts that nobody sees while the first answers are on their way: a browser compiles what it
 * runs for the first time, and of the library that takes longer than drawing.
 */

import { Frame, optionsOf } from "./chart_options.js";
import { inTurn, isAnyWaiting } from "./turns.js";

/** @import { ChartData } from "../types.js" */

const KINDS = /** @type {const} */ (["bar", "line"]);
const SIZE = { width: 300, height: 150 };
const MINUTE_MS = 60_000;

/**
 * @param {any} echarts
 * @param {string} zone
 * @param {number} [at] which of the kinds is next
 */
export function warmUp(echarts, zone, at = 0) {
  inTurn(() => {
    // A chart that has its numbers warms up what it needs, and is seen.
    if (at === KINDS.length || isAnyWaiting()) return;
    drawUnseen(echarts, zone, KINDS[at]);
    warmUp(echarts, zone, at + 1);
  });
}

/**
 * @param {any} echarts
 * @param {string} zone
 * @param {"bar" | "line"} kind
 */
function drawUnseen(echarts, zone, kind) {
  const data = example();
  const drawn = echarts.init(document.createElement("div"), null, { renderer: "canvas", ...SIZE });
  const looks = { kind, unit: "count", measure: "", zone, width: SIZE.width, hidden: new Set() };
  drawn.setOption(optionsOf(data, new Frame(data), looks));
  drawn.dispose();
}

/** @returns {ChartData} with all that charts have: an open window, and a comparison */
function example() {
  const starts = [0, 1, 2].map((minute) => new Date(minute * MINUTE_MS).toISOString());
  return {
    windows: starts,
    windowEnds: [...starts.slice(1), new Date(3 * MINUTE_MS).toISOString()],
    isFinal: [true, true, false],
    series: [
      { key: "now", label: "now", values: [1, 2, 3], color: "--series-0" },
      {
        key: "before",
        label: "before",
        values: [1, 3, 2],
        color: "--series-compared",
        isDashed: true,
      },
    ],
  };
}
