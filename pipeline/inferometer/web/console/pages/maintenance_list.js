// @ts-check
/** Maintenance windows: what is planned, what it does to notices and budgets, and when it holds. */

/** @import { App } from "../app.js" */

import { h } from "../components/dom.js";
import { formatInstant } from "../format.js";
import { muteLine } from "./mute_line.js";

const SHOWN = 12;
/** @type {Record<string, string>} */
const EFFECTS = {
  mute: "notices are kept back",
  exclude_from_budget: "not counted in budgets",
  both: "notices are kept back, not counted in budgets",
  annotate: "notices mention it",
};

/**
 * @typedef {object} Interval
 * @property {{start_time: string, end_time: string}[]} [times]
 * @property {string[]} [weekdays]
 * @property {string[]} [days_of_month]
 * @property {string[]} [months]
 * @property {string[]} [years]
 * @property {string} [location]
 */

/**
 * @param {App} app
 * @param {any[]} windows
 */
export function maintenanceList(app, windows) {
  return [
    h("h3", { class: "alerts-subtitle" }, "Maintenance windows"),
    h(
      "ul",
      { class: "silences" },
      windows.slice(0, SHOWN).map((one) => line(app, one)),
      windows.length > SHOWN && h("li", { class: "quiet" }, `and ${windows.length - SHOWN} more`),
    ),
  ];
}

/**
 * @param {App} app
 * @param {any} one
 */
function line(app, one) {
  const { state } = one.status;
  return muteLine(
    one.matchers,
    [
      EFFECTS[one.effect] ?? one.effect,
      spanText(app, one),
      ...(one.time_intervals ?? []).map(intervalText),
      one.createdBy && `by ${one.createdBy}`,
      one.reason,
    ],
    h("span", { class: state === "active" ? "badge badge-warn" : "badge" }, state),
  );
}

/**
 * @param {App} app
 * @param {{startsAt: string, endsAt?: string | null, status: {state: string}}} window
 */
function spanText(app, { startsAt, endsAt, status }) {
  const from = formatInstant(startsAt, app.zone, { seconds: false });
  const to = endsAt ? formatInstant(endsAt, app.zone, { seconds: false }) : "it is ended";
  return status.state === "expired" ? `${from} to ${to}` : `from ${from} until ${to}`;
}

/**
 * When a window holds between its start and its end, in the words of the file.
 * @param {Interval} interval
 * @returns {string}
 */
export function intervalText({ times = [], location = "UTC", ...days }) {
  const hours = times.map((one) => `${one.start_time} to ${one.end_time}`).join(", ");
  const named = [days.weekdays, days.days_of_month, days.months, days.years]
    .filter((one) => one !== undefined)
    .map((one) => one.map(capital).join(", ").replaceAll(":", " to "));
  return [...named, hours && `${hours} ${location}`].filter(Boolean).join(", ");
}

/**
 * Names of days and months as people write them; the file has them in small letters.
 * @param {string} text
 * @returns {string}
 */
function capital(text) {
  return text.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase());
}
