// @ts-check
/** Analytics: tokens, requests, latency, success, and how each model does (S1-1 to S1-17). */

import { chart } from "../charts/chart.js";
import { seriesOf } from "../charts/from_answer.js";
import { h, refill, replace } from "../components/dom.js";
import { multiSelect, valuesOf } from "../components/multi_select.js";
import { select } from "../components/select.js";
import { emptyState } from "../components/states.js";
import { tile } from "../components/tile.js";
import { withFilter } from "../shell/filters.js";
import { granularitiesFor } from "../shell/ranges.js";
import { ModelTable } from "./model_table.js";
import { mediaQuestion, MediaUnits } from "./media_units.js";

/** @import { App } from "../app.js" */
/** @import { ChartSeries, MetricsAnswer, Page, Question } from "../types.js" */

const TOKEN_PARTS = [
  "uncached_input_tokens",
  "cache_read_tokens",
  "cache_write_5m_tokens",
  "cache_write_1h_tokens",
  "image_input_tokens",
  "audio_input_tokens",
  "video_input_tokens",
  "text_output_tokens",
  "reasoning_tokens",
  "audio_output_tokens",
  "image_output_tokens",
];
const TILES = ["total_tokens", "requests", "e2e_mean_ms", "success_ratio"];
const BESIDE = [
  "input_tokens",
  "output_tokens",
  "e2e_p50_ms",
  "e2e_p95_ms",
  "e2e_p99_ms",
  "failures",
  "rpm",
  "tpm",
  "cost_usd",
];

/** @type {Page} */
export const page = {
  name: "analytics",
  title: "Analytics",
  hasCharts: true,
  controls: {
    range: true,
    refresh: true,
    filters: ["model", "model_type", "provider", "environment", "region"],
  },
  first: (app) => [totalsQuestion(app)],
  create: (root, app) => new Analytics(root, app),
};

/** @param {App} app */
function percentileOf(app) {
  return app.state.get("percentile", "0.95");
}

/**
 * @param {App} app
 * @returns {Question}
 */
function totalsQuestion(app) {
  const query = app.query({
    measure: [...TILES, ...BESIDE, ...TOKEN_PARTS],
    granularity: app.granularity,
    compare: "previous",
  });
  return ["/metrics", query];
}

/**
 * @param {App} app
 * @returns {Question}
 */
function modelsQuestion(app) {
  return ["/models", app.query({ percentile: percentileOf(app) })];
}

class Analytics {
  /**
   * @param {HTMLElement} root
   * @param {import("../app.js").App} app
   */
  constructor(root, app) {
    this.app = app;
    this.models = multiSelect({
      label: "Models",
      load: valuesOf(app, "model"),
      selected: this.#chosenModels(),
      onChange: (values) =>
        app.state.setFilters(
          withFilter(app.state.filters, { dimension: "model", match: "=", values }),
        ),
    });
    this.granularity = select({
      label: "Granularity",
      options: this.#granularities(),
      value: app.state.get("granularity", "auto"),
      onChange: (value) => app.state.set({ granularity: value === "auto" ? null : value }),
    });
    replace(app.layout.filters.slot, this.models.element, this.granularity.element);
    app.onCleanup(() => replace(app.layout.filters.slot));
    this.tiles = TILES.map((measure) =>
      tile({ measure, label: measure === "e2e_mean_ms" ? "Average latency" : undefined })
    );
    this.tokens = chart({
      title: "Tokens analysis",
      definition:
        "Tokens of all attempts by window, in disjoint parts: input by what was cached, output by what was reasoning.",
      measure: "total_tokens",
      kind: "bar",
      height: 280,
    });
    this.requests = chart({ title: "Requests", measure: "requests", kind: "bar", height: 180 });
    this.latency = chart({
      title: "Latency",
      definition: "End to end, of successful requests: the mean beside percentiles.",
      measure: "e2e_mean_ms",
      height: 180,
    });
    this.table = new ModelTable(app);
    this.media = new MediaUnits(app);
    this.empty = h("div", { hidden: true });
    this.content = h(
      "div",
      { class: "stack" },
      h("div", { class: "grid-tiles" }, this.tiles.map((one) => one.element)),
      this.tokens.element,
      h("div", { class: "grid-cards" }, this.requests.element, this.latency.element),
      this.table.element,
      this.media.element,
    );
    root.append(this.empty, this.content);
  }

  #chosenModels() {
    const { filters } = this.app.state;
    return filters.find((one) => one.dimension === "model" && one.match === "=")?.values ?? [];
  }

  #granularities() {
    return granularitiesFor(this.app.span_s);
  }

  /** @param {AbortSignal} signal */
  async refresh(signal) {
    const { app } = this;
    this.models.set(this.#chosenModels());
    this.granularity.set(app.state.get("granularity", "auto"), this.#granularities());
    const totals = app.api.get(...totalsQuestion(app), { signal });
    const below = { signal, after: [totals] };
    const models = app.api.get(...modelsQuestion(app), below);
    const media = app.api.get(...mediaQuestion(app), below);
    await Promise.all([
      totals.then((answer) => this.#draw(answer)),
      models.then((answer) => this.table.set(answer, percentileOf(app))),
      media.then((answer) => this.media.set(answer)),
    ]);
  }

  /** @param {MetricsAnswer} answer */
  #draw(answer) {
    const { app } = this;
    app.noteAnswer(answer);
    const isEmpty = answer.total.requests === 0 && !answer.total.total_tokens;
    this.empty.hidden = !isEmpty;
    this.content.hidden = isEmpty;
    if (isEmpty) refill(this.empty, nothing(app));
    this.#drawTiles(answer);
    this.tokens.set({ ...seriesOf(answer, "total_tokens"), series: tokenParts(answer) });
    this.requests.set(seriesOf(answer, "requests", { label: "Requests" }));
    this.latency.set({ ...seriesOf(answer, "e2e_mean_ms"), series: latencyLines(answer) });
  }

  /** @param {MetricsAnswer} answer */
  #drawTiles(answer) {
    const { total } = answer;
    const text = (/** @type {string} */ name) => this.app.text(name, total[name]);
    /** @type {Record<string, string>} */
    const notes = {
      total_tokens: `${text("input_tokens")} in, ${text("output_tokens")} out · ${text("tpm")}`,
      requests: text("rpm"),
      e2e_mean_ms: `p50 ${text("e2e_p50_ms")} · p95 ${text("e2e_p95_ms")} · p99 ${
        text("e2e_p99_ms")
      }`,
      success_ratio: `${text("failures")} failed`,
    };
    TILES.forEach((measure, at) => {
      this.tiles[at].set({
        value: total[measure],
        previous: answer.compared?.total[measure],
        values: answer.values[measure],
        note: notes[measure],
      });
    });
  }

  destroy() {
    for (const one of [this.tokens, this.requests, this.latency]) one.destroy();
  }
}

/**
 * @param {MetricsAnswer} answer
 * @returns {ChartSeries[]}
 */
function tokenParts(answer) {
  return TOKEN_PARTS.filter((measure) => (answer.total[measure] ?? 0) > 0).map((measure) => ({
    key: measure,
    label: answer.measures.find((one) => one.name === measure)?.label ?? measure,
    values: answer.values[measure],
    dimension: "tokens",
    value: measure,
  }));
}

/** @type {[string, string, string][]} */
const LATENCY_LINES = [
  ["e2e_mean_ms", "Mean", "--series-0"],
  ["e2e_p50_ms", "p50", "--series-2"],
  ["e2e_p95_ms", "p95", "--series-1"],
  ["e2e_p99_ms", "p99", "--series-4"],
];

/**
 * @param {MetricsAnswer} answer
 * @returns {ChartSeries[]}
 */
function latencyLines(answer) {
  return LATENCY_LINES.map(([measure, label, color]) => ({
    key: measure,
    label,
    color,
    values: answer.values[measure],
    filters: [{ dimension: "status_class", match: "=", values: ["2xx"] }],
  }));
}

/** @param {import("../app.js").App} app */
export function nothing(app) {
  const hasFilters = app.state.filters.length > 0;
  const actions = [
    hasFilters && { label: "Clear the filters", onClick: () => app.state.setFilters([]) },
    { label: "Last 7 days", href: app.href(app.state.page, { from: "now-7d", to: null }) },
  ].filter((one) => one !== false);
  return emptyState({
    title: "No requests here",
    text: hasFilters
      ? "Nothing in this range matches the filters. Try fewer of them, or a longer range."
      : "Nothing ended in this range. Try a longer one; if events should be coming, the Pipeline page says where they are.",
    actions: [...actions, { label: "Pipeline", href: app.href("pipeline") }],
  });
}
