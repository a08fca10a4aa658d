// @ts-check
/** Model Metrics: every chart grouped by what "View by" says (S3-1 to S3-35). */

import { h, refill, replace } from "../components/dom.js";
import { metadataKeys } from "../components/filter_bar.js";
import { segmented, select } from "../components/select.js";
import { iconButton } from "../components/table.js";
import { tile } from "../components/tile.js";
import { granularitiesFor } from "../shell/ranges.js";
import { nothing } from "./analytics.js";
import { CompareTable } from "./compare_table.js";
import { openMetricsExport } from "./metrics_export.js";
import { chartMeasures, ModelCharts, VIEWS } from "./model_charts.js";

/** @import { App } from "../app.js" */
/** @import { MetricsAnswer, Page, Question } from "../types.js" */

const COUNTERS = ["input_tokens", "output_tokens", "requests", "cost_usd"];
const COUNTER_LABELS = [
  "Total input tokens",
  "Total output tokens",
  "Total requests",
  "Total cost of tokens",
];
const COMPARISONS = [
  { value: "previous", label: "Previous period" },
  { value: "baseline", label: "Everybody" },
  { value: "none", label: "Nothing" },
];
const TOPS = ["5", "10", "20", "50"].map((value) => ({ value, label: `Top ${value}` }));

/** @type {Page} */
export const page = {
  name: "models",
  title: "Model Metrics",
  hasCharts: true,
  controls: {
    range: true,
    refresh: true,
    filters: ["model", "virtual_model", "user_id", "virtual_account_id", "team_id", "status_class"],
  },
  first: (app) => [mainQuestion(app), failuresQuestion(app)],
  create: (root, app) => new Models(root, app),
};

/** @param {App} app */
function viewOf(app) {
  return app.state.get("view", "model");
}

/** @param {App} app */
function percentOf(app) {
  return app.state.get("percent", "95");
}

/**
 * @param {App} app
 * @returns {Question}
 */
function mainQuestion(app) {
  const query = app.query({
    measure: chartMeasures(percentOf(app)),
    group_by: viewOf(app),
    granularity: app.granularity,
    top: app.state.get("top", "10"),
    compare: app.state.get("compare", "previous"),
    // Everybody: the same range without the page's filters.
    baseline_filter: null,
  });
  return ["/metrics", query];
}

/**
 * @param {App} app
 * @returns {Question}
 */
function failuresQuestion(app) {
  const query = app.query({
    measure: "failures",
    group_by: [viewOf(app), "error_type"],
    granularity: app.granularity,
    order_by: "failures",
    top: 12,
    // Successes have no error type; without them the top N is of failures only.
    filter: [...app.state.all("filter"), "status_class!=2xx"],
  });
  return ["/metrics", query];
}

class Models {
  /**
   * @param {HTMLElement} root
   * @param {import("../app.js").App} app
   */
  constructor(root, app) {
    this.app = app;
    /** @type {string[]} */
    this.keys = [];
    this.#buildControls();
    this.tiles = COUNTERS.map((measure, at) => tile({ measure, label: COUNTER_LABELS[at] }));
    this.charts = new ModelCharts(app);
    this.compare = new CompareTable(app);
    this.empty = h("div", { hidden: true });
    this.content = h(
      "div",
      { class: "stack" },
      h("div", { class: "grid-tiles" }, this.tiles.map((one) => one.element)),
      this.charts.element,
      this.compare.element,
    );
    root.append(this.empty, this.content);
    this.keysAsked = metadataKeys(app);
    this.keysAsked.then((keys) => {
      this.keys = keys;
      this.#updateControls();
    });
  }

  get view() {
    return viewOf(this.app);
  }

  get percent() {
    return percentOf(this.app);
  }

  #buildControls() {
    const { state, layout } = this.app;
    this.viewBy = segmented({
      label: "View by",
      options: VIEWS,
      value: this.view,
      onChange: (view) => state.set({ view: view === "model" ? null : view }),
    });
    this.metadata = select({
      label: "Metadata key",
      isLabelHidden: true,
      options: [{ value: "", label: "Metadata…" }],
      value: "",
      onChange: (view) => state.set({ view: view || null }),
    });
    this.comparison = select({
      label: "Compare with",
      options: COMPARISONS,
      value: state.get("compare", "previous"),
      onChange: (value) => state.set({ compare: value === "previous" ? null : value }),
    });
    this.granularity = select({
      label: "Granularity",
      options: granularitiesFor(86_400),
      value: "auto",
      onChange: (value) => state.set({ granularity: value === "auto" ? null : value }),
    });
    this.top = select({
      label: "Series",
      options: TOPS,
      value: "10",
      onChange: (value) => state.set({ top: value === "10" ? null : value }),
    });
    const exportButton = iconButton(
      "export",
      "Export these metrics",
      () => this.keysAsked.then((keys) => openMetricsExport(this.app, keys)),
    );
    exportButton.classList.remove("button-quiet");
    replace(
      layout.filters.slot,
      h(
        "div",
        { class: "field" },
        h("span", { class: "field-label" }, "View by"),
        h("div", { class: "row" }, this.viewBy.element, this.metadata.element),
      ),
      this.comparison.element,
      this.granularity.element,
      this.top.element,
    );
    // The export stands at the top right of the page, beside the range.
    layout.account.element.before(exportButton);
    this.app.onCleanup(() => {
      replace(layout.filters.slot);
      exportButton.remove();
    });
  }

  #updateControls() {
    const { state } = this.app;
    this.viewBy?.set(this.view);
    const keys = this.keys.map((key) => ({ value: `metadata.${key}`, label: `Metadata: ${key}` }));
    const chosen = this.view.startsWith("metadata.") ? this.view : "";
    this.metadata?.set(chosen, [{ value: "", label: "Metadata…" }, ...keys]);
    this.comparison?.set(state.get("compare", "previous"));
    this.granularity?.set(state.get("granularity", "auto"), granularitiesFor(this.app.span_s));
    this.top?.set(state.get("top", "10"));
  }

  /** @param {AbortSignal} signal */
  async refresh(signal) {
    const { app } = this;
    this.#updateControls();
    const [answer, failures] = await Promise.all([
      app.api.get(...mainQuestion(app), { signal }),
      app.api.get(...failuresQuestion(app), { signal }),
    ]);
    app.noteAnswer(withNotesOf(answer, failures));
    this.#draw(answer, failures);
  }

  /**
   * @param {MetricsAnswer} answer
   * @param {MetricsAnswer} failures
   */
  #draw(answer, failures) {
    const isEmpty = answer.total.requests === 0 && !answer.total.input_tokens;
    this.empty.hidden = !isEmpty;
    this.content.hidden = isEmpty;
    if (isEmpty) refill(this.empty, nothing(this.app));
    COUNTERS.forEach((measure, at) => {
      this.tiles[at].set({
        value: answer.total[measure],
        previous: answer.compared && answer.query.compare === "previous"
          ? answer.compared.total[measure]
          : null,
        values: answer.values[measure],
      });
    });
    this.charts.set(answer, failures, this.view, this.percent);
    this.compare.set(answer, this.view, this.percent);
  }

  destroy() {
    this.charts.destroy();
  }
}

/**
 * What one of two answers says of itself is true of the page.
 * @param {MetricsAnswer} answer
 * @param {MetricsAnswer} other
 */
function withNotesOf(answer, other) {
  const own = new Set(answer.notes);
  const added = other.notes.filter((note) => !own.has(note)).map((note) =>
    `Failures by error type: ${note}`
  );
  return { ...answer, notes: [...answer.notes, ...added] };
}
