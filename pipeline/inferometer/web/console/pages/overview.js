// @ts-check
/** Overview: what inference costs, whether it works, how fast it is, and what changed. */

/** @import { App } from "../app.js" */
/** @import { Chart } from "../charts/chart.js" */
/** @import { MetricsAnswer, Page, Question } from "../types.js" */

import { chart } from "../charts/chart.js";
import { seriesOf } from "../charts/from_answer.js";
import { h, refill } from "../components/dom.js";
import { tile } from "../components/tile.js";
import { formatUsd } from "../format.js";
import { changesMeasure, changesPart } from "./changes_part.js";
import { emptySpan } from "./empty_span.js";
import { forecastPart, methodText } from "./forecast_part.js";
import { incidentsPart } from "./incidents_part.js";
import { livePart } from "./live_part.js";
import { isAbort } from "./part.js";
import { openNow, scopeQuery } from "./span_query.js";
import { windowLength } from "./window_lengths.js";

/** The tiles, in the order of reading: money, volume, quality, speed. */
const TILES = [
  { measure: "cost_usd", page: "cost" },
  { measure: "requests", page: "analytics" },
  { measure: "success_ratio", page: "models" },
  { measure: "ttft_p95_ms", page: "models" },
  { measure: "cost_per_1k_requests_usd", page: "cost" },
];

const MEASURES = [...TILES.map((entry) => entry.measure), "ttft_p50_ms"];

/** @type {Page} */
export const page = {
  name: "overview",
  title: "Overview",
  hasCharts: true,
  controls: {
    range: true,
    refresh: true,
    filters: ["model", "team_id", "environment", "provider"],
  },
  first: (app) => Object.values(questions(app)),
  create(root, app) {
    const view = buildView(root, app);
    return {
      refresh: (signal) => refresh(view, app, signal),
      destroy: () => {
        view.live.destroy();
        for (const drawn of Object.values(view.charts)) drawn.destroy();
      },
    };
  },
};

/** @typedef {ReturnType<typeof buildView>} View */

/**
 * @param {HTMLElement} root
 * @param {App} app
 */
function buildView(root, app) {
  const retry = () => app.refresh();
  const tiles = new Map(
    TILES.map(({ measure, page: target }) => [
      measure,
      tile({ measure, href: app.href(target) }),
    ]),
  );
  const forecastTile = tile({
    label: "Forecast to month end",
    unit: "usd",
    higherIsWorse: true,
    definition:
      "Price cost of the whole calendar month: what is spent, and what the days to come are expected to cost.",
    href: app.href("cost"),
  });
  const charts = buildCharts();
  const incidents = incidentsPart(app, retry);
  const forecast = forecastPart(app, retry);
  const changes = changesPart(app, retry);
  const live = livePart(app);
  const trends = h(
    "div",
    { class: "overview-thirds" },
    charts.requests.element,
    charts.success.element,
    charts.ttft.element,
  );
  const notice = h("div", { class: "empty-notice" });
  const shown = [...tiles.values()].map((entry) => entry.element);
  root.append(
    notice,
    h(
      "section",
      { class: "grid-tiles tiles-six", "aria-label": "Key figures" },
      shown[0],
      forecastTile.element,
      shown.slice(1),
    ),
    live.element,
    h("div", { class: "overview-split" }, charts.spend.element, incidents.element),
    trends,
    h("div", { class: "overview-halves" }, forecast.element, changes.element),
  );
  return { tiles, forecastTile, charts, incidents, forecast, changes, live, trends, notice };
}

function buildCharts() {
  return {
    spend: chart({
      title: "Spend by model",
      measure: "cost_usd",
      kind: "bar",
      height: 260,
    }),
    requests: chart({ title: "Requests", measure: "requests", kind: "area" }),
    success: chart({ title: "Success rate", measure: "success_ratio", kind: "line", max: 1 }),
    ttft: chart({
      title: "TTFT, median and 95th percentile",
      measure: "ttft_p95_ms",
      kind: "line",
      min: 0,
    }),
  };
}

/**
 * @param {App} app
 * @returns {Record<"totals" | "byModel" | "incidents" | "forecast", Question>}
 */
function questions(app) {
  const granularity = windowLength(app);
  const byModel = { measure: "cost_usd", group_by: "model", top: 7, order_by: "cost_usd" };
  return {
    totals: ["/metrics", app.query({ measure: MEASURES, compare: "previous", granularity })],
    byModel: ["/metrics", app.query({ ...byModel, granularity })],
    incidents: ["/incidents", openNow(app)],
    forecast: ["/forecast", scopeQuery(app)],
  };
}

/**
 * Ask at once for what is seen first, then for what changed, which stands below it. The first
 * answer decides whether the page stands, the others fill parts.
 * @param {View} view
 * @param {App} app
 * @param {AbortSignal} signal
 */
async function refresh(view, app, signal) {
  view.live.follow();
  const asked = questions(app);
  const above = [asked.totals, asked.byModel, asked.incidents, asked.forecast]
    .map(([path, params]) => app.api.get(path, params, { signal }));
  const [totals, byModel, incidents, forecast] = above;
  const changed = app.query({ measure: changesMeasure(app) });
  const changes = app.api.get("/changes", changed, { signal, after: above });
  // All at once, so that none that fails is left unheard.
  const parts = [
    view.incidents.load(incidents),
    view.forecast.load(forecast),
    view.changes.load(changes),
    showForecastTile(view, app, forecast),
    totals.then((answer) => showTotals(view, app, answer)),
    byModel.then((answer) => view.charts.spend.set(seriesOf(answer, "cost_usd"))),
  ];
  await Promise.all(parts);
}

/**
 * @param {View} view
 * @param {App} app
 * @param {MetricsAnswer} answer
 */
function showTotals(view, app, answer) {
  for (const { measure, page: target } of TILES) {
    const shown = view.tiles.get(measure);
    // The span and the filters go along, and both may have changed.
    shown?.lead(app.href(target));
    shown?.set({
      value: answer.total[measure],
      previous: answer.compared?.total[measure],
      values: answer.values[measure],
    });
  }
  view.charts.requests.set(colored(seriesOf(answer, "requests"), "--series-0"));
  view.charts.success.set(colored(seriesOf(answer, "success_ratio"), "--series-2"));
  view.charts.ttft.set(ttftLines(answer));
  const isEmpty = answer.total.requests === 0;
  refill(view.notice, isEmpty ? emptySpan(app) : null);
  view.trends.hidden = isEmpty;
  app.noteAnswer(answer);
}

/**
 * One line over everything has a colour of its page, not one that tells it from others.
 * @param {import("../types.js").ChartData} data
 * @param {string} color
 */
function colored(data, color) {
  const [all, ...others] = data.series;
  return { ...data, series: [{ ...all, color }, ...others] };
}

/** @param {MetricsAnswer} answer */
function ttftLines(answer) {
  return {
    windows: answer.windows,
    windowEnds: answer.window_ends,
    isFinal: answer.is_final,
    unit: "ms",
    series: [
      {
        key: "p95",
        label: "95th percentile",
        values: answer.values.ttft_p95_ms,
        color: "--series-1",
      },
      { key: "p50", label: "Median", values: answer.values.ttft_p50_ms, color: "--series-0" },
    ],
  };
}

/**
 * @param {View} view
 * @param {App} app
 * @param {Promise<import("./forecast_part.js").ForecastAnswer>} answer
 */
async function showForecastTile(view, app, answer) {
  view.forecastTile.lead(app.href("cost"));
  try {
    const forecast = await answer;
    view.forecastTile.set({
      value: forecast.projected_usd,
      note: forecast.projected_usd === null
        ? methodText(forecast)
        : `${formatUsd(forecast.spent_usd)} spent so far`,
    });
  } catch (error) {
    // The card below says what is wrong and what to do.
    if (!isAbort(error)) view.forecastTile.set({ value: null, note: "No forecast" });
  }
}
