// @ts-check
/** Spend of the calendar month, day by day, and where it is going. */

/** @import { App } from "../app.js" */

import { chart } from "../charts/chart.js";
import { h, replace, setText } from "../components/dom.js";
import { formatUsd } from "../format.js";
import { createPart } from "./part.js";
import { fromCalendar } from "../shell/ranges.js";

/**
 * @typedef {object} ForecastAnswer
 * @property {string} month
 * @property {number | null} spent_usd
 * @property {number | null} projected_usd
 * @property {number | null} low_usd
 * @property {number | null} high_usd
 * @property {string} method
 * @property {unknown[]} days
 */

/** @typedef {{date: string, amount: number, isMeasured: boolean}} ForecastDay */

const DEFINITION =
  "Price cost of the calendar month in the chosen time zone: measured days, and the days still to " +
  "come by the method that is stated. The range is what the past days' spread makes likely.";

/**
 * @param {App} app
 * @param {() => void} onRetry
 */
export function forecastPart(app, onRetry) {
  const part = createPart({
    title: "Forecast to month end",
    definition: DEFINITION,
    skeleton: "chart",
    onRetry,
  });
  const summary = h("p", { class: "forecast-summary" });
  const method = h("p", { class: "quiet forecast-method" });
  const days = chart({
    title: "Spend a day",
    measure: { unit: "usd", definition: DEFINITION },
    kind: "bar",
    height: 180,
    isSynced: false,
    onPoint: () => {},
    onZoom: () => {},
  });
  app.onCleanup(() => days.destroy());
  return {
    element: part.element,
    /** @param {Promise<ForecastAnswer>} answer */
    load: (answer) =>
      part.load(answer, (forecast) => {
        if (!summary.isConnected) replace(part.content, summary, days.element, method);
        replace(summary, ...summaryOf(forecast));
        setText(method, methodText(forecast));
        days.set(forecastChart(forecast, app.zone));
      }),
  };
}

/**
 * @param {ForecastAnswer} forecast
 * @returns {(Node|string)[]}
 */
function summaryOf(forecast) {
  if (forecast.projected_usd === null) {
    return [
      h("span", { class: "num" }, formatUsd(forecast.spent_usd)),
      ` spent in ${monthName(forecast.month)} so far.`,
    ];
  }
  return [
    h("strong", { class: "num forecast-amount" }, formatUsd(forecast.projected_usd)),
    ` expected for ${monthName(forecast.month)}, between `,
    h("span", { class: "num" }, formatUsd(forecast.low_usd)),
    " and ",
    h("span", { class: "num" }, formatUsd(forecast.high_usd)),
    "; ",
    h("span", { class: "num" }, formatUsd(forecast.spent_usd)),
    " spent so far.",
  ];
}

/**
 * How it was projected, or why it cannot be.
 * @param {ForecastAnswer} forecast
 * @returns {string}
 */
export function methodText({ projected_usd, method }) {
  if (!method) return "";
  if (projected_usd !== null) return `Method: ${method}.`;
  return `${method.charAt(0).toUpperCase()}${method.slice(1)}${method.endsWith(".") ? "" : "."}`;
}

/**
 * @param {string} month such as 2026-11
 * @returns {string}
 */
function monthName(month) {
  const instant = new Date(`${month}-01T00:00:00Z`);
  if (Number.isNaN(instant.getTime())) return month;
  return new Intl.DateTimeFormat("en", { month: "long", year: "numeric", timeZone: "UTC" })
    .format(instant);
}

/**
 * Days come as objects or as (date, amount, is measured).
 * @param {unknown[]} days
 * @returns {ForecastDay[]}
 */
export function forecastDays(days) {
  return days.map((day) => {
    if (Array.isArray(day)) {
      return { date: String(day[0]), amount: Number(day[1]), isMeasured: Boolean(day[2]) };
    }
    const entry = /** @type {Record<string, unknown>} */ (day);
    return {
      date: String(entry.date ?? entry.day),
      amount: Number(entry.cost_usd ?? entry.amount_usd ?? entry.amount),
      isMeasured: Boolean(entry.is_measured),
    };
  });
}

/**
 * @param {ForecastAnswer} forecast
 * @param {string} zone
 */
function forecastChart(forecast, zone) {
  const isProjected = forecast.projected_usd !== null;
  const days = forecastDays(forecast.days)
    .map((day) => ({ ...day, isMeasured: day.isMeasured || !isProjected }));
  const starts = days.map((day) => dayStart(day.date, zone));
  return {
    windows: starts,
    windowEnds: starts.map((start, i) => starts[i + 1] ?? dayAfter(start)),
    isFinal: days.map(() => true),
    unit: "usd",
    series: [
      {
        key: "measured",
        label: "Measured",
        values: days.map((day) => day.isMeasured ? day.amount : null),
        color: "--series-0",
      },
      {
        key: "projected",
        label: "Projected",
        values: days.map((day) => day.isMeasured ? null : day.amount),
        isOther: true,
      },
    ],
  };
}

/**
 * @param {string} start
 * @returns {string}
 */
function dayAfter(start) {
  return new Date(Date.parse(start) + 86_400_000).toISOString();
}

/**
 * The instant at which a date begins in a zone.
 * @param {string} date such as 2026-11-21
 * @param {string} zone
 * @returns {string}
 */
function dayStart(date, zone) {
  const [year, month, day] = date.split("-").map(Number);
  return new Date(fromCalendar(year, month, day, 0, 0, 0, zone)).toISOString();
}
