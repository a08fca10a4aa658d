// @ts-check
/** The mouse on a chart: a drag along the time axis is a range, a click is a point. */

import { h } from "../components/dom.js";

const LEAST_DRAG_PX = 5;

/** @param {import("./chart.js").Chart} chart */
export function startPointer(chart) {
  const { canvas, plot } = chart;
  const band = h("div", { class: "chart-band", hidden: true });
  plot?.append(band);
  /** @type {{x: number, y: number, at_ms: number} | null} */
  let start = null;
  const position = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {HTMLElement} */ (canvas).getBoundingClientRect();
    return {
      x: event.clientX - box.left,
      y: event.clientY - box.top,
      height: box.height,
      width: box.width,
    };
  };
  const stop = () => {
    start = null;
    band.hidden = true;
  };
  canvas?.addEventListener("pointerenter", () => chart.isHovered = true);
  canvas?.addEventListener("pointerleave", () => {
    chart.isHovered = false;
    chart.hideTooltip();
  });
  canvas?.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const { x, y } = position(event);
    const at = chart.place(x, y);
    if (at) start = { x, y, at_ms: at.at_ms };
    // A finger scrolls the page; dragging a range is for the mouse and the pen.
    if (at && event.pointerType !== "touch") canvas.setPointerCapture(event.pointerId);
  });
  canvas?.addEventListener("pointermove", (event) => {
    if (!start || event.pointerType === "touch") return;
    const { x, height } = position(event);
    band.hidden = Math.abs(x - start.x) < LEAST_DRAG_PX;
    band.style.left = `${Math.min(x, start.x)}px`;
    band.style.width = `${Math.abs(x - start.x)}px`;
    band.style.height = `${height}px`;
  });
  canvas?.addEventListener("pointercancel", stop);
  canvas?.addEventListener("pointerup", (event) => {
    if (!start || !chart.frame) return;
    const { x, y, width } = position(event);
    const first = start;
    stop();
    if (Math.abs(x - first.x) < LEAST_DRAG_PX) {
      const at = chart.place(x, y);
      if (at) chart.click(at.at_ms, at.value);
      return;
    }
    // Wherever the button is let go, above or below the axes too: the range is along the time axis.
    const end_x = Math.min(Math.max(x, 1), width - 14);
    const inside = chart.place(end_x, first.y) ?? edge(chart, x, first);
    finish(chart, first.at_ms, inside.at_ms);
  });
  canvas?.addEventListener("keydown", (event) => event.key === "Escape" && stop());
}

/**
 * Beyond the axes the range ends where the axis does.
 * @param {import("./chart.js").Chart} chart
 * @param {number} x
 * @param {{x: number, at_ms: number}} first
 */
function edge(chart, x, first) {
  const frame = /** @type {import("./chart_options.js").Frame} */ (chart.frame);
  return { at_ms: x > first.x ? frame.end : frame.start };
}

/**
 * Zoom to whole windows; less than one is none.
 * @param {import("./chart.js").Chart} chart
 * @param {number} one_ms
 * @param {number} other_ms
 */
function finish(chart, one_ms, other_ms) {
  const frame = /** @type {import("./chart_options.js").Frame} */ (chart.frame);
  const first = frame.indexAt(Math.min(one_ms, other_ms));
  const last = frame.indexAt(Math.max(one_ms, other_ms));
  const data = /** @type {import("../types.js").ChartData} */ (chart.data);
  chart.zoom(frame.starts[first], Date.parse(data.windowEnds[last]));
}

/**
 * The series nearest to a click: by value of lines, by layer of stacks.
 * @param {import("./chart.js").Chart} chart
 * @param {number} at_ms
 * @param {number} value
 * @returns {import("../types.js").ChartPoint | null}
 */
export function pointAt(chart, at_ms, value) {
  const { data, frame } = chart;
  if (!data || !frame) return null;
  const index = frame.indexAt(at_ms);
  const seen = data.series.filter((one) =>
    !chart.legend.hidden.has(one.key) && one.values[index] !== null
  );
  const series = chart.kind === "line"
    ? nearest(seen, index, value)
    : layer(seen.filter((one) => !one.isDashed && !one.isUnstacked), index, value);
  if (!series) return null;
  return { from: data.windows[index], to: data.windowEnds[index], series };
}

/**
 * @param {import("../types.js").ChartSeries[]} all
 * @param {number} index
 * @param {number} value
 */
function nearest(all, index, value) {
  const distance = (/** @type {import("../types.js").ChartSeries} */ one) =>
    Math.abs(Number(one.values[index]) - value);
  return all.toSorted((a, b) => distance(a) - distance(b))[0];
}

/**
 * @param {import("../types.js").ChartSeries[]} all
 * @param {number} index
 * @param {number} value
 */
function layer(all, index, value) {
  let top = 0;
  for (const one of all) {
    top += Number(one.values[index]);
    if (value <= top) return one;
  }
  return all.findLast((one) => Number(one.values[index]) > 0) ?? all.at(-1);
}
