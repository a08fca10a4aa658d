// @ts-check
/** The course of a number in a few pixels; decoration beside the number itself. */

import { svg } from "../components/dom.js";

const WIDTH = 120;
const HEIGHT = 28;

/**
 * @param {(number | null)[]} values
 * @returns {SVGElement}
 */
export function sparkline(values) {
  const known = values.filter((value) => value !== null);
  const most = Math.max(...known, 0);
  const least = Math.min(...known, 0);
  const span = most - least || 1;
  const step = WIDTH / Math.max(1, values.length - 1);
  const pieces = /** @type {string[]} */ ([]);
  let isDrawing = false;
  values.forEach((value, at) => {
    if (value === null) {
      isDrawing = false;
      return;
    }
    const y = HEIGHT - 2 - ((value - least) / span) * (HEIGHT - 4);
    pieces.push(`${isDrawing ? "L" : "M"}${(at * step).toFixed(1)} ${y.toFixed(1)}`);
    isDrawing = true;
  });
  return svg(
    "svg",
    {
      class: "sparkline",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    },
    svg("path", { d: pieces.join(" ") }),
  );
}
