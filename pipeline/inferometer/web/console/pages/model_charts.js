// @ts-check
/** The charts of Model Metrics, all grouped alike (S3-13 to S3-23). */

import { chart } from "../charts/chart.js";
import { comparedSeries, groupFilters, groupLabel, seriesOf } from "../charts/from_answer.js";
import { h } from "../components/dom.js";
import { segmented } from "../components/select.js";
import { OTHER } from "../words.js";

/** @import { ChartData, ChartSeries, MetricsAnswer } from "../types.js" */

/** What "View by" offers besides metadata keys. */
export const VIEWS = [
  { value: "model", label: "Models" },
  { value: "virtual_model", label: "Virtual models" },
  { value: "user_id", label: "Users" },
  { value: "virtual_account_id", label: "Virtual accounts" },
  { value: "team_id", label: "Teams" },
];
export const PERCENTS = ["50", "75", "90", "95", "99"].map((value) => ({
  value,
  label: `P${value}`,
}));
const LATENCIES = /** @type {[string, string][]} */ ([
  ["e2e", "Request latency"],
  ["ttft", "Time to first token (TTFT)"],
  ["itl", "Inter-token latency (ITL)"],
  ["tpot", "Time per output token (TPOT)"],
]);
const CLASS_RATIOS = /** @type {[string, string][]} */ ([
  ["4xx", "error_4xx_ratio"],
  ["429", "rate_limited_ratio"],
  ["499", "client_aborted_ratio"],
  ["5xx", "error_5xx_ratio"],
]);
const COUNTS = ["rps", "failure_ratio", "cost_usd", "input_tokens", "output_tokens", "requests"];
const MOST_CLASS_LINES = 12;

/**
 * @param {string} percent
 * @returns {string[]}
 */
export function chartMeasures(percent) {
  return [
    ...COUNTS,
    "success_ratio",
    "cost_per_request_usd",
    ...CLASS_RATIOS.map(([, measure]) => measure),
    ...LATENCIES.map(([duration]) => `${duration}_p${percent}_ms`),
  ];
}

export class ModelCharts {
  /** @param {import("../app.js").App} app */
  constructor(app) {
    this.app = app;
    const line = (/** @type {string} */ title, /** @type {string} */ measure) =>
      chart({ title, measure });
    const bars = (/** @type {string} */ title, /** @type {string} */ measure) =>
      chart({ title, measure, kind: "bar" });
    this.rps = chart({
      title: "Requests per second",
      measure: "rps",
      kind: "area",
      class: "span-all",
    });
    this.failureRatio = line("Request failure rate", "failure_ratio");
    this.failures = chart({
      title: "Request failures breakdown",
      definition: "Requests that were not answered with 2xx, by error type.",
      measure: "failures",
      kind: "bar",
      emptyText: "No failures in this range",
    });
    this.classes = chart({
      title: "Failure rate by HTTP status",
      definition:
        "Share of each group's requests by class of status: 4xx (client's fault), 429 (rate limited), 499 (client went away), 5xx (server's fault).",
      measure: "failure_ratio",
      emptyText: "No failures in this range",
    });
    /** @type {{set: (value: string) => void}[]} */
    this.percentChoices = [];
    this.latencies = LATENCIES.map(([duration, title]) =>
      chart({ title, measure: `${duration}_p95_ms`, actions: [this.#percentChoice(title)] })
    );
    this.cost = bars("Cost of inference", "cost_usd");
    this.input = bars("Input tokens", "input_tokens");
    this.output = bars("Output tokens", "output_tokens");
    this.all = [
      this.rps,
      this.failureRatio,
      this.failures,
      this.classes,
      ...this.latencies,
      this.cost,
      this.input,
      this.output,
    ];
    this.element = h("div", { class: "grid-cards" }, this.all.map((one) => one.element));
  }

  /** @param {string} title */
  #percentChoice(title) {
    const { state } = this.app;
    const choice = segmented({
      label: `Percentile of ${title}`,
      options: PERCENTS,
      value: state.get("percent", "95"),
      onChange: (value) => state.set({ percent: value === "95" ? null : value }),
    });
    this.percentChoices.push(choice);
    return choice.element;
  }

  /**
   * @param {MetricsAnswer} answer
   * @param {MetricsAnswer} failures
   * @param {string} view
   * @param {string} percent
   */
  set(answer, failures, view, percent) {
    for (const choice of this.percentChoices) choice.set(percent);
    this.rps.set(seriesOf(answer, "rps"));
    this.failureRatio.set(seriesOf(answer, "failure_ratio", { filters: NOT_SUCCESSFUL }));
    this.failures.set(failureBars(failures, view));
    this.classes.set(classLines(answer));
    LATENCIES.forEach(([duration], at) => {
      this.latencies[at].set(seriesOf(answer, `${duration}_p${percent}_ms`));
    });
    this.cost.set(seriesOf(answer, "cost_usd"));
    this.input.set(seriesOf(answer, "input_tokens"));
    this.output.set(seriesOf(answer, "output_tokens"));
  }

  destroy() {
    for (const one of this.all) one.destroy();
  }
}

/** @type {import("../types.js").Filter[]} */
const NOT_SUCCESSFUL = [{ dimension: "status_class", match: "!=", values: ["2xx"] }];

/**
 * @param {MetricsAnswer} answer
 * @param {string} view
 * @returns {ChartData}
 */
function failureBars(answer, view) {
  const data = seriesOf(answer, "failures", { filters: NOT_SUCCESSFUL });
  const series = data.series.map((one, at) => {
    const group = answer.series[at]?.group ?? {};
    const type = group.error_type === "" ? "unknown error" : group.error_type;
    const name = group[view] === OTHER ? "others" : group[view] || "(none)";
    return one.isOther ? one : { ...one, label: `${name} · ${type}` };
  }).filter((one) => one.values.some((value) => (value ?? 0) > 0));
  return { ...data, series };
}

/**
 * One line a group and class, without those that never failed.
 * @param {MetricsAnswer} answer
 * @returns {ChartData}
 */
function classLines(answer) {
  const lines = answer.series.flatMap((one) =>
    CLASS_RATIOS.map(([name, measure]) => ({ one, name, measure, total: one.total[measure] ?? 0 }))
  ).filter((line) => line.total > 0).toSorted((a, b) => b.total - a.total).slice(
    0,
    MOST_CLASS_LINES,
  );
  /** @type {ChartSeries[]} */
  const series = lines.map(({ one, name, measure }) => ({
    key: `${JSON.stringify(one.group)} ${name}`,
    label: `${groupLabel(one)} · ${name}`,
    values: one.values[measure],
    dimension: "group and class",
    value: `${Object.values(one.group).join("+")} ${name}`,
    filters: [...groupFilters(one.group), {
      dimension: "status_class",
      match: "=",
      values: [name],
    }],
  }));
  const compared = answer.compared ? comparedSeries(answer, "failure_ratio") : null;
  return {
    windows: answer.windows,
    windowEnds: answer.window_ends,
    isFinal: answer.is_final,
    series: compared && series.length > 0
      ? [...series, { ...compared, label: `${compared.label}: all failures` }]
      : series,
    unit: "ratio",
  };
}
