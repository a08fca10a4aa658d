// @ts-check
/** Turns chart data into options of ECharts: looks, axes, what is not final dashed and hatched. */

import { formatTick } from "../format.js";
import { hasPatterns } from "../shell/preferences.js";
import { colorOf, cssColor } from "./palette.js";
import { labelled, tickLabel, ticks } from "./time_axis.js";

/** @import { ChartData, ChartSeries } from "../types.js" */

/**
 * @typedef {object} Looks
 * @property {"line" | "area" | "bar"} kind
 * @property {string} unit
 * @property {string} measure
 * @property {string} zone
 * @property {number} width
 * @property {number} [min]
 * @property {number} [max]
 * @property {Set<string>} hidden
 */

/** What stands beside a time axis: the labels of values and two margins; more is no harm. */
const BESIDE_AXIS_PX = 72;

/** Where windows stand on the axis: each point in the middle of its window. */
export class Frame {
  /** @param {ChartData} data */
  constructor(data) {
    this.starts = data.windows.map((text) => Date.parse(text));
    const ends = data.windowEnds.map((text) => Date.parse(text));
    const widths = this.starts.map((start, at) => ends[at] - start).sort((a, b) => a - b);
    // The first and last windows may be cut; the median is not.
    this.width = widths[Math.floor(widths.length / 2)] ?? 60_000;
    this.centers = this.starts.map((start) => start + this.width / 2);
    this.start = this.starts[0] ?? 0;
    this.end = (this.starts.at(-1) ?? 0) + this.width;
    const open = data.isFinal.indexOf(false);
    this.firstOpen = open < 0 ? this.starts.length : open;
  }

  /**
   * The window that an instant of the axis is in.
   * @param {number} at_ms
   * @returns {number}
   */
  indexAt(at_ms) {
    let best = 0;
    this.centers.forEach((center, index) => {
      if (Math.abs(center - at_ms) < Math.abs(this.centers[best] - at_ms)) best = index;
    });
    return best;
  }
}

/**
 * @param {ChartSeries} series
 * @returns {string}
 */
export function colorName(series) {
  if (series.color) return series.color;
  if (series.isOther) return "--series-other";
  return colorOf(series.dimension ?? "series", series.value ?? series.label);
}

/**
 * @param {ChartData} data
 * @param {Frame} frame
 * @param {Looks} looks
 * @returns {any}
 */
export function optionsOf(data, frame, looks) {
  const ink = {
    text: cssColor("--text-quiet"),
    line: cssColor("--line"),
    strong: cssColor("--text"),
  };
  return {
    animation: false,
    // The canvas has a label of ours; patterns are for those whom colours do not help.
    aria: { enabled: hasPatterns(), label: { enabled: false }, decal: { show: hasPatterns() } },
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { left: 8, right: 12, top: 10, bottom: 4, outerBoundsMode: "same", containLabel: true },
    tooltip: {
      trigger: "axis",
      confine: true,
      transitionDuration: 0,
      axisPointer: { type: "line", lineStyle: { color: ink.text, type: [3, 3] } },
      className: "chart-tooltip",
      backgroundColor: cssColor("--surface-raised"),
      borderColor: cssColor("--line"),
      textStyle: { color: ink.strong, fontSize: 12 },
      padding: 0,
    },
    xAxis: xAxis(frame, looks, ink),
    yAxis: yAxis(looks, ink, greatest(data, looks)),
    series: seriesOptions(data, frame, looks),
  };
}

/**
 * @param {Frame} frame
 * @param {Looks} looks
 * @param {Record<string, string>} ink
 */
function xAxis(frame, looks, ink) {
  const at = ticks(frame.start, frame.end, looks.zone, Math.floor(looks.width / 84));
  const span = frame.end - frame.start;
  return {
    type: "value",
    min: frame.start,
    max: frame.end,
    axisLine: { show: true, lineStyle: { color: ink.line } },
    axisTick: { show: true, customValues: at, lineStyle: { color: ink.line } },
    splitLine: { show: false },
    axisLabel: {
      customValues: labelled(
        at,
        frame.start,
        frame.end,
        looks.zone,
        looks.width - BESIDE_AXIS_PX,
      ),
      hideOverlap: true,
      color: ink.text,
      fontSize: 11,
      formatter: (/** @type {number} */ value) => tickLabel(value, span, looks.zone),
    },
    axisPointer: { label: { show: false }, snap: true },
  };
}

/** Where a share that comes near the whole has its axis: quarters, and nothing above the whole. */
const QUARTERS = { max: 1, interval: 0.25 };
const NEAR_THE_WHOLE = 0.8;

/**
 * The greatest value that is drawn, at least nought.
 * @param {ChartData} data
 * @param {Looks} looks
 */
function greatest(data, looks) {
  const values = data.series.filter((one) => !looks.hidden.has(one.key))
    .flatMap((one) => one.values.map((value) => value ?? 0));
  return values.reduce((a, b) => Math.max(a, b), 0);
}

/**
 * @param {Looks} looks
 * @param {number} most
 */
function reachesWhole(looks, most) {
  return looks.unit === "ratio" && looks.max === undefined && most > NEAR_THE_WHOLE && most <= 1;
}

/**
 * @param {Looks} looks
 * @param {Record<string, string>} ink
 * @param {number} most
 */
function yAxis(looks, ink, most) {
  return {
    type: "value",
    min: looks.min ?? (looks.unit === "ratio" ? undefined : 0),
    max: looks.max,
    ...(reachesWhole(looks, most) ? QUARTERS : {}),
    // A success rate of 98.5 % is a flat line on an axis from nought.
    scale: looks.unit === "ratio" && looks.max === 1,
    splitNumber: 4,
    // There is no third of a request.
    minInterval: looks.unit === "count" ? 1 : 0,
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: ink.line, opacity: 0.7 } },
    axisLabel: {
      color: ink.text,
      fontSize: 11,
      formatter: (/** @type {number} */ value) =>
        formatTick(value, looks.unit, most, looks.measure),
    },
    axisPointer: { show: false },
  };
}

/**
 * @param {ChartData} data
 * @param {Frame} frame
 * @param {Looks} looks
 * @returns {any[]}
 */
function seriesOptions(data, frame, looks) {
  const result = [];
  for (const series of data.series) {
    if (looks.hidden.has(series.key)) continue;
    const color = cssColor(colorName(series));
    if (looks.kind === "bar" && !series.isUnstacked && !series.isDashed) {
      result.push(barSeries(series, frame, color));
    } else if (looks.kind === "area" && !series.isUnstacked && !series.isDashed) {
      result.push(areaSeries(series, frame, color));
    } else {
      result.push(...lineSeries(series, frame, color));
    }
  }
  if (result.length > 0) result[0] = { ...result[0], ...markings(data, frame) };
  return result;
}

/**
 * @param {ChartSeries} series
 * @param {Frame} frame
 * @param {string} color
 */
function barSeries(series, frame, color) {
  return {
    id: series.key,
    name: series.label,
    type: "bar",
    stack: "all",
    barWidth: "82%",
    barMinWidth: 1,
    large: false,
    itemStyle: { color },
    emphasis: { disabled: true },
    data: series.values.map((value, at) =>
      at < frame.firstOpen
        ? [frame.centers[at], value]
        // Lighter while rows may still come.
        : { value: [frame.centers[at], value], itemStyle: { color, opacity: 0.55 } }
    ),
  };
}

/**
 * @param {ChartSeries} series
 * @param {Frame} frame
 * @param {string} color
 */
function areaSeries(series, frame, color) {
  return {
    ...lineBase(series, color),
    stack: "all",
    lineStyle: { color, width: 1 },
    areaStyle: { color, opacity: 0.75 },
    data: series.values.map((value, at) => [frame.centers[at], value ?? 0]),
  };
}

/**
 * Two pieces: what is final, and a dashed one over the windows that may still change.
 * @param {ChartSeries} series
 * @param {Frame} frame
 * @param {string} color
 * @returns {any[]}
 */
function lineSeries(series, frame, color) {
  const { values } = series;
  const width = series.isOther ? 1.5 : 2;
  const type = series.isDashed ? [5, 4] : "solid";
  const points = values.map((value, at) => [frame.centers[at], value]);
  const isAlone = loneIndexes(values, frame.firstOpen);
  const final = {
    ...lineBase(series, color),
    lineStyle: { color, width, type },
    showSymbol: isAlone.size > 0,
    symbol: "circle",
    symbolSize: (/** @type {any} */ _, /** @type {any} */ info) =>
      isAlone.has(info.dataIndex) ? 5 : 0,
    data: points.map(([x, y], at) => [x, at < frame.firstOpen ? y : null]),
  };
  if (frame.firstOpen >= values.length) return [final];
  const open = {
    ...lineBase(series, color),
    id: `${series.key} (open)`,
    lineStyle: { color, width, type: series.isDashed ? [5, 4] : [3, 3] },
    showSymbol: values.length - frame.firstOpen === 1 && frame.firstOpen === 0,
    symbol: "emptyCircle",
    symbolSize: 6,
    data: points.map(([x, y], at) => [x, at >= frame.firstOpen - 1 ? y : null]),
  };
  return [final, open];
}

/**
 * Points without neighbours make no line, so they get a dot.
 * @param {(number | null)[]} values
 * @param {number} end
 * @returns {Set<number>}
 */
function loneIndexes(values, end) {
  const result = new Set();
  for (let at = 0; at < Math.min(end, values.length); at += 1) {
    const before = at > 0 ? values[at - 1] : null;
    const after = at + 1 < values.length ? values[at + 1] : null;
    if (values[at] !== null && before === null && after === null) result.add(at);
  }
  return result;
}

/**
 * @param {ChartSeries} series
 * @param {string} color
 */
function lineBase(series, color) {
  return {
    id: series.key,
    name: series.label,
    type: "line",
    showSymbol: false,
    connectNulls: false,
    itemStyle: { color },
    emphasis: { disabled: true },
    z: series.isDashed ? 3 : 2,
  };
}

/**
 * The hatched stretch of windows that are not final, and marks of events.
 * @param {ChartData} data
 * @param {Frame} frame
 */
function markings(data, frame) {
  const ink = cssColor("--text-quiet");
  const isOpen = frame.firstOpen < frame.starts.length;
  const marks = data.marks ?? [];
  return {
    markArea: {
      silent: true,
      itemStyle: { color: hatch() },
      data: isOpen ? [[{ xAxis: frame.starts[frame.firstOpen] }, { xAxis: frame.end }]] : [],
    },
    markLine: {
      silent: true,
      symbol: "none",
      lineStyle: { color: ink, type: "dashed" },
      label: { color: ink, fontSize: 11, position: "insideEndTop" },
      data: marks.map((mark) => ({
        xAxis: Date.parse(mark.at),
        label: { formatter: mark.label },
      })),
    },
  };
}

/** A pattern of thin slanted lines in the colour of grid lines. */
function hatch() {
  const size = 8;
  const canvas = document.createElement("canvas");
  canvas.width = size;
  canvas.height = size;
  const pen = canvas.getContext("2d");
  if (pen) {
    pen.strokeStyle = cssColor("--hatch");
    pen.lineWidth = 1;
    for (const shift of [-size, 0, size]) {
      pen.moveTo(shift, size);
      pen.lineTo(shift + size, 0);
    }
    pen.stroke();
  }
  return { image: canvas, repeat: "repeat" };
}
