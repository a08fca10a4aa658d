// @ts-check
/** How each model does: throughput, success, latency at a percentile of choice (S1-17, S3-31). */

import { card } from "../components/card.js";
import { h } from "../components/dom.js";
import { segmented } from "../components/select.js";
import { table } from "../components/table.js";
import { formatChange, formatDuration_ms, formatRatio } from "../format.js";
import { withFilter, writeFilter } from "../shell/filters.js";

export const PERCENTILES = [
  { value: "0.5", label: "P50" },
  { value: "0.75", label: "P75" },
  { value: "0.9", label: "P90" },
  { value: "0.95", label: "P95" },
  { value: "0.99", label: "P99" },
];

/** Below these a model stands out. */
const POOR_SUCCESS = 0.95;
const FAIR_SUCCESS = 0.99;

export class ModelTable {
  /** @param {import("../app.js").App} app */
  constructor(app) {
    this.app = app;
    const { state } = app;
    this.percentile = segmented({
      label: "Percentile of latencies",
      options: PERCENTILES,
      value: state.get("percentile", "0.95"),
      onChange: (value) => state.set({ percentile: value === "0.95" ? null : value }),
    });
    this.card = card({
      title: "Models",
      definition:
        "Each model over the whole range; small figures compare with the span of the same length before. Latencies are of successful requests.",
      actions: [this.percentile.element],
    });
    this.table = table({
      caption: "Models by throughput, success and latency",
      columns: this.#columns("0.95"),
      sort: readSort(state.get("sort", "requests:desc")),
      onSort: (sort) =>
        state.set({ sort: `${sort.key}:${sort.isDescending ? "desc" : "asc"}` }, { replace: true }),
      maxRows: 50,
      rowKey: (row) => `${row.provider ?? ""}/${row.model}`,
      emptyText: "No model was used in this range.",
    });
    this.card.body.append(this.table.element);
    this.card.body.classList.add("card-flush");
    this.element = this.card.element;
  }

  /**
   * @param {any} answer
   * @param {string} percentile
   */
  set(answer, percentile) {
    this.percentile.set(percentile);
    this.table.setColumns(this.#columns(percentile));
    this.table.setSort(readSort(this.app.state.get("sort", "requests:desc")));
    this.table.set(answer.models);
  }

  /**
   * @param {string} percentile
   * @returns {import("../components/table.js").Column[]}
   */
  #columns(percentile) {
    const name = `P${Number((Number(percentile) * 100).toFixed(3))}`;
    const latency = (
      /** @type {string} */ key,
      /** @type {string} */ label,
      /** @type {string} */ words,
    ) => ({
      key,
      label: `${label} ${name}`,
      unit: "ms",
      definition: `${words} ${name} of successful requests.`,
      render: (/** @type {any} */ row) =>
        withChange(formatDuration_ms(row[key]), row, key, "ms", true),
    });
    return [
      { key: "model", label: "Model", isRowHeader: true, render: (row) => this.#modelLink(row) },
      {
        key: "requests",
        label: "Requests",
        unit: "count",
        definition: "Final attempts that ended in the range.",
        render: (row) => this.#counted(row, "requests"),
      },
      {
        key: "rpm",
        label: "RPM",
        unit: "count",
        definition: "Requests a minute, over the whole range.",
      },
      {
        key: "tpm",
        label: "TPM",
        unit: "count",
        definition: "Input and output tokens a minute, over the whole range.",
      },
      {
        key: "success_ratio",
        label: "Success rate",
        unit: "ratio",
        definition: "Share of requests that were answered with 2xx.",
        render: successCell,
      },
      latency("ttft_ms", "TTFT", "Time from receipt to the first token, queue included."),
      latency("e2e_ms", "Latency", "Time from receipt to the last byte."),
      {
        key: "e2e_mean_ms",
        label: "Mean latency",
        unit: "ms",
        definition: "Mean time from receipt to the last byte.",
      },
      latency("itl_ms", "ITL", "Gap between successive pieces of a stream."),
      latency("tpot_ms", "TPOT", "Time for each output token after the first."),
      { key: "input_tokens", label: "Input tokens", unit: "tokens" },
      { key: "output_tokens", label: "Output tokens", unit: "tokens" },
      {
        key: "cost_usd",
        label: "Cost",
        unit: "usd",
        definition: "Price cost of all attempts.",
        render: (row) => this.#counted(row, "cost_usd"),
      },
      { key: "cost_per_request_usd", label: "Cost / request", unit: "usd" },
    ];
  }

  /** @param {any} row */
  #modelLink(row) {
    const { filters } = this.app.state;
    const filter = withFilter(filters, { dimension: "model", match: "=", values: [row.model] })
      .map(writeFilter);
    return [
      h("a", { href: this.app.href("models", { filter }) }, row.model || "(none)"),
      row.provider && h("span", { class: "quiet small" }, ` ${row.provider}`),
    ];
  }

  /**
   * @param {any} row
   * @param {string} key
   */
  #counted(row, key) {
    const { unit, higher_is_worse: isWorse } = this.app.measure(key);
    return withChange(this.app.text(key, row[key]), row, key, unit, isWorse);
  }
}

/**
 * @param {string} text
 * @param {any} row
 * @param {string} key
 * @param {string} unit
 * @param {boolean | null} isWorse
 */
function withChange(text, row, key, unit, isWorse) {
  const change = formatChange(row[key], row.previous?.[key], unit, isWorse);
  return [
    text,
    change.text && h("span", { class: `change change-${change.kind} cell-change` }, change.text),
  ];
}

/** @param {any} row */
function successCell(row) {
  const value = row.success_ratio;
  if (value === null || value === undefined) return "–";
  const kind = value < POOR_SUCCESS ? "bad" : value < FAIR_SUCCESS ? "warn" : "good";
  const bar = h("span", { class: `meter meter-${kind}`, "aria-hidden": "true" }, h("span", {}));
  /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${value * 100}%`;
  const [text, change] = withChange(formatRatio(value), row, "success_ratio", "ratio", false);
  return [bar, h("span", { class: "meter-value" }, text), change];
}

/**
 * @param {string} text
 * @returns {import("../components/table.js").Sort}
 */
export function readSort(text) {
  const [key, direction] = text.split(":");
  return { key, isDescending: direction !== "asc" };
}
