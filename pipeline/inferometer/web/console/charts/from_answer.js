// @ts-check
/** Makes chart data of an answer of `GET /metrics`: one series a group, comparisons dashed. */

import { OTHER } from "../words.js";

/** @import { AnswerSeries, ChartData, ChartSeries, Filter, MetricsAnswer } from "../types.js" */

/**
 * @param {MetricsAnswer} answer
 * @param {string} measure
 * @param {{label?: string, filters?: Filter[], noCompared?: boolean}} [options]
 *   label: of the one series of an answer without groups
 * @returns {ChartData}
 */
export function seriesOf(answer, measure, options = {}) {
  const grouped = answer.query?.group_by?.length > 0;
  const series = grouped
    ? answer.series.map((one) => groupSeries(one, measure, options.filters ?? []))
    : [totalSeries(answer, measure, options.label ?? totalLabel(answer), options.filters ?? [])];
  const compared = options.noCompared ? null : comparedSeries(answer, measure);
  return {
    windows: answer.windows,
    windowEnds: answer.window_ends,
    isFinal: answer.is_final,
    series: compared ? [...series, compared] : series,
    unit: answer.measures.find((one) => one.name === measure)?.unit,
  };
}

/**
 * @param {AnswerSeries} one
 * @param {string} measure
 * @param {Filter[]} filters
 * @returns {ChartSeries}
 */
function groupSeries(one, measure, filters) {
  const dimensions = Object.keys(one.group);
  return {
    key: JSON.stringify(one.group),
    label: groupLabel(one),
    values: one.values[measure] ?? [],
    dimension: dimensions.join("+"),
    value: Object.values(one.group).join("+"),
    isOther: one.is_other,
    filters: [...filters, ...groupFilters(one.group)],
  };
}

/**
 * Filters that keep one group only; the rest of a top N is not one that a filter can name.
 * @param {Record<string, string>} group
 * @returns {Filter[]}
 */
export function groupFilters(group) {
  return Object.entries(group).filter(([, value]) => value !== OTHER).map(
    ([dimension, value]) => ({ dimension, match: /** @type {const} */ ("="), values: [value] }),
  );
}

/**
 * @param {AnswerSeries} one
 * @returns {string}
 */
export function groupLabel(one) {
  if (one.is_other) return "All others";
  return Object.values(one.group).map((value) => value === "" ? "(none)" : value).join(" · ");
}

/** @param {MetricsAnswer} answer */
function totalLabel(answer) {
  return answer.query?.compare === "previous" ? "This period" : "All";
}

/**
 * @param {MetricsAnswer} answer
 * @param {string} measure
 * @param {string} label
 * @param {Filter[]} filters
 * @returns {ChartSeries}
 */
function totalSeries(answer, measure, label, filters) {
  return {
    key: measure,
    label,
    values: answer.values[measure] ?? [],
    color: "--series-0",
    filters,
  };
}

/**
 * The previous period or the baseline over all groups, laid over the windows of now.
 * @param {MetricsAnswer} answer
 * @param {string} measure
 * @returns {ChartSeries | null}
 */
export function comparedSeries(answer, measure) {
  const { compared, query } = answer;
  const values = compared?.values[measure];
  if (!compared || !values) return null;
  return {
    key: "compared",
    label: comparedLabel(query),
    values: answer.windows.map((_, at) => values[at] ?? null),
    color: "--series-compared",
    isDashed: true,
  };
}

/** @param {MetricsAnswer["query"]} query */
function comparedLabel({ compare, group_by: groups }) {
  if (compare === "baseline") return "Everybody";
  // Beside groups it has to be said that it is not one of them.
  return groups?.length > 0 ? "Previous period, all" : "Previous period";
}
