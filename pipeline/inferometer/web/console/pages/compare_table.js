// @ts-check
/** Groups side by side over the whole range, with what changed since before (S3-31 to S3-35). */

import { groupFilters, groupLabel } from "../charts/from_answer.js";
import { card } from "../components/card.js";
import { h } from "../components/dom.js";
import { table } from "../components/table.js";
import { formatChange } from "../format.js";
import { withFilter, writeFilter } from "../shell/filters.js";

/** @import { AnswerSeries, MetricsAnswer } from "../types.js" */

export class CompareTable {
  /** @param {import("../app.js").App} app */
  constructor(app) {
    this.app = app;
    this.card = card({
      title: "Side by side",
      definition:
        "Each group over the whole range, from merged sums and sketches, never an average of averages. Small figures compare with the previous period, or with everybody.",
    });
    this.table = table({
      caption: "Groups side by side",
      columns: this.#columns("model", "95"),
      sort: { key: "requests", isDescending: true },
      rowKey: (row) => row.key,
      maxRows: 25,
    });
    this.card.body.append(this.table.element);
    this.card.body.classList.add("card-flush");
    this.element = this.card.element;
  }

  /**
   * @param {MetricsAnswer} answer
   * @param {string} view
   * @param {string} percent
   */
  set(answer, view, percent) {
    const before = new Map(
      answer.compared?.series.map((one) => [JSON.stringify(one.group), one.total]),
    );
    const baseline = answer.query.compare === "baseline" ? answer.compared?.total : null;
    this.table.setColumns(this.#columns(view, percent));
    this.table.set(
      answer.series.map((one) => rowOf(one, baseline ?? before.get(JSON.stringify(one.group)))),
      { total: { label: "All", group: null, ...answer.total, previous: answer.compared?.total } },
    );
  }

  /**
   * @param {string} view
   * @param {string} percent
   * @returns {import("../components/table.js").Column[]}
   */
  #columns(view, percent) {
    const measures = [
      "requests",
      "failure_ratio",
      ...["e2e", "ttft", "itl", "tpot"].map((duration) => `${duration}_p${percent}_ms`),
      "input_tokens",
      "output_tokens",
      "cost_usd",
      "cost_per_request_usd",
    ];
    return [
      {
        key: "label",
        label: this.app.dimensionLabel(view),
        isRowHeader: true,
        render: (row) => this.#name(row, view),
      },
      ...measures.map((measure) => ({
        key: measure,
        measure,
        render: (/** @type {any} */ row) => this.#cell(row, measure),
      })),
    ];
  }

  /**
   * @param {any} row
   * @param {string} view
   */
  #name(row, view) {
    if (!row.group || row.is_other) return row.label;
    const [filter] = groupFilters(row.group);
    if (!filter) return row.label;
    const { state } = this.app;
    const href = this.app.href("models", {
      view,
      filter: withFilter(state.filters, filter).map(writeFilter),
    });
    return h("a", { href, title: "Filter by it" }, row.label);
  }

  /**
   * @param {any} row
   * @param {string} measure
   */
  #cell(row, measure) {
    const { unit, higher_is_worse: isWorse } = this.app.measure(measure);
    const change = formatChange(row[measure], row.previous?.[measure], unit, isWorse);
    return [
      this.app.text(measure, row[measure]),
      change.text && h("span", { class: `change change-${change.kind} cell-change` }, change.text),
    ];
  }
}

/**
 * @param {AnswerSeries} one
 * @param {any} previous
 */
function rowOf(one, previous) {
  return {
    key: JSON.stringify(one.group),
    label: groupLabel(one),
    group: one.group,
    is_other: one.is_other,
    ...one.total,
    previous,
  };
}
