// @ts-check
/** Cost: who spends what on which model, what a unit costs, at which prices, and where it goes. */

/** @import { App } from "../app.js" */
/** @import { MetricsAnswer, Page, Question } from "../types.js" */

import { chart } from "../charts/chart.js";
import { seriesOf } from "../charts/from_answer.js";
import { h, icon, refill } from "../components/dom.js";
import { tile } from "../components/tile.js";
import { formatCount } from "../format.js";
import { billsPart, maySeeBills } from "./bills_part.js";
import { openCostExport } from "./cost_export.js";
import { costGroups, groupsQuestion } from "./cost_groups.js";
import { emptySpan } from "./empty_span.js";
import { forecastPart } from "./forecast_part.js";
import { priceBook } from "./price_book.js";
import { scopeQuery, spanQuery, without } from "./span_query.js";
import { windowLength } from "./window_lengths.js";
import { unpricedPart } from "./unpriced_part.js";

const TILES = [
  "cost_usd",
  "cost_per_1k_requests_usd",
  "cost_per_success_usd",
  "cost_per_million_tokens_usd",
  "cost_per_minute_usd",
  "unpriced_requests",
];

const MEASURES = [...TILES, "partially_priced_requests", "attempts"];

/** @type {Page} */
export const page = {
  name: "cost",
  title: "Cost",
  hasCharts: true,
  controls: {
    range: true,
    refresh: true,
    filters: ["team_id", "model", "user_id", "virtual_account_id", "provider"],
  },
  first: (app) => [totalsQuestion(app), groupsQuestion(app)],
  create(root, app) {
    const view = buildView(root, app);
    return {
      refresh: (signal) => refresh(view, app, signal),
      destroy: () => {
        view.perRequests.destroy();
        view.perTokens.destroy();
        view.groups.destroy();
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
  const tiles = new Map(TILES.map((measure) => [measure, tile({ measure })]));
  const exporting = h(
    "button",
    { class: "button", type: "button", on: { click: () => openCostExport(app) } },
    icon("export"),
    "Export for finance",
  );
  const groups = costGroups(app, exporting, retry);
  const perRequests = chart({
    title: "Cost per 1,000 requests",
    measure: "cost_per_1k_requests_usd",
    kind: "line",
    min: 0,
  });
  const perTokens = chart({
    title: "Cost per million tokens",
    measure: "cost_per_million_tokens_usd",
    kind: "line",
    min: 0,
  });
  const forecast = forecastPart(app, retry);
  const unpriced = unpricedPart(app, retry);
  const prices = priceBook(app, retry);
  const bills = maySeeBills(app.me) ? billsPart(retry) : null;
  const notice = h("div", { class: "empty-notice" });
  const units = h("div", { class: "grid-cards" }, perRequests.element, perTokens.element);
  root.append(
    notice,
    h(
      "section",
      { class: "grid-tiles tiles-six", "aria-label": "Key figures" },
      [...tiles.values()].map((one) => one.element),
    ),
    groups.element,
    units,
    h("div", { class: "cost-halves" }, forecast.element, unpriced.element),
    ...(bills ? [bills.element] : []),
    prices.element,
  );
  return {
    tiles,
    notice,
    units,
    groups,
    perRequests,
    perTokens,
    forecast,
    unpriced,
    bills,
    prices,
  };
}

/**
 * @param {App} app
 * @returns {Question}
 */
function totalsQuestion(app) {
  const granularity = windowLength(app);
  return ["/metrics", app.query({ measure: MEASURES, compare: "previous", granularity })];
}

/**
 * @param {View} view
 * @param {App} app
 * @param {AbortSignal} signal
 */
async function refresh(view, app, signal) {
  const asked = { signal };
  const totals = app.api.get(...totalsQuestion(app), asked);
  const groups = view.groups.refresh(signal);
  const below = { signal, after: [totals, groups] };
  const parts = [
    groups,
    view.forecast.load(app.api.get("/forecast", scopeQuery(app), below)),
    view.unpriced.load(app.api.get("/unpriced", spanQuery(app), below)),
    view.bills?.load(app.api.get("/reconciliation", without(spanQuery(app), "workspace"), below)),
    view.prices.refresh(below),
  ];
  showTotals(view, app, await totals);
  await Promise.all(parts);
}

/**
 * @param {View} view
 * @param {App} app
 * @param {MetricsAnswer} answer
 */
function showTotals(view, app, answer) {
  const isEmpty = answer.total.attempts === 0;
  refill(view.notice, isEmpty ? emptySpan(app) : null);
  view.groups.element.hidden = isEmpty;
  view.units.hidden = isEmpty;
  for (const [measure, shown] of view.tiles) {
    shown.set({
      value: answer.total[measure],
      previous: answer.compared?.total[measure],
      values: answer.values[measure],
      note: measure === "unpriced_requests" ? partlyPriced(answer) : "",
    });
  }
  view.perRequests.set(seriesOf(answer, "cost_per_1k_requests_usd"));
  view.perTokens.set(seriesOf(answer, "cost_per_million_tokens_usd"));
  // The scope of cost stands beside the spend.
  app.noteAnswer({ ...answer, cost_scope: "" });
}

/**
 * @param {MetricsAnswer} answer
 * @returns {string}
 */
function partlyPriced(answer) {
  const partly = answer.total.partially_priced_requests;
  return `${formatCount(partly)} more priced in part`;
}
