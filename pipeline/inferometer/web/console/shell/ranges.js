// @ts-check
/** Time ranges as texts of the URL: relative (`now-24h`), absolute with or without a zone. */

import { calendarOf, dateFormat, formatInstant, formatSpan_s } from "../format.js";

/** @typedef {{from: string, to: string, label: string}} Preset */

/** @type {Preset[]} */
export const PRESETS = [
  { from: "now-5m", to: "now", label: "Last 5 minutes" },
  { from: "now-15m", to: "now", label: "Last 15 minutes" },
  { from: "now-1h", to: "now", label: "Last hour" },
  { from: "now-3h", to: "now", label: "Last 3 hours" },
  { from: "now-6h", to: "now", label: "Last 6 hours" },
  { from: "now-24h", to: "now", label: "Last 24 hours" },
  { from: "now-2d", to: "now", label: "Last 2 days" },
  { from: "now-7d", to: "now", label: "Last 7 days" },
  { from: "now-14d", to: "now", label: "Last 14 days" },
  { from: "now-30d", to: "now", label: "Last 30 days" },
  { from: "now-90d", to: "now", label: "Last 90 days" },
  { from: "now/d", to: "now", label: "Today" },
  { from: "now-1d/d", to: "now/d", label: "Yesterday" },
];

export const DEFAULT_FROM = "now-24h";
export const DEFAULT_TO = "now";

/** @type {Record<string, number>} */
const STEP_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const RELATIVE = /^now(?:-(\d+)([smhdw]))?(?:\/([hd]))?$/;
const LOCAL = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?)?$/;

/**
 * Whether a text moves with the clock, so that a page of it is worth refreshing.
 * @param {string} text
 * @returns {boolean}
 */
export function isRelative(text) {
  return text.startsWith("now");
}

/**
 * The instant of a text in epoch milliseconds; NaN where it is none. The server has the last word:
 * this is for labels and for what the picker offers.
 * @param {string} text
 * @param {string} zone
 * @param {number} now_ms
 * @returns {number}
 */
export function instantOf(text, zone, now_ms) {
  const relative = RELATIVE.exec(text);
  if (relative) {
    const [, amount, step, rounding] = relative;
    const moment = now_ms - (amount ? Number(amount) * STEP_MS[step] : 0);
    return rounding ? floored(moment, rounding, zone) : moment;
  }
  if (/^\d{11,}$/.test(text)) return Number(text);
  const local = LOCAL.exec(text);
  if (!local) return Date.parse(text);
  const [year, month, day, hour = 0, minute = 0, second = 0] = local.slice(1).map((part) =>
    part === undefined ? undefined : Number(part)
  );
  return fromCalendar(
    /** @type {number} */ (year),
    /** @type {number} */ (month),
    /** @type {number} */ (day),
    hour,
    minute,
    second,
    zone,
  );
}

/**
 * @param {number} instant_ms
 * @param {string} rounding
 * @param {string} zone
 * @returns {number}
 */
function floored(instant_ms, rounding, zone) {
  const c = calendarOf(instant_ms, zone);
  return fromCalendar(c.year, c.month, c.day, rounding === "h" ? c.hour : 0, 0, 0, zone);
}

/**
 * The instant of a wall clock in a zone.
 * @param {number} year
 * @param {number} month
 * @param {number} day
 * @param {number} hour
 * @param {number} minute
 * @param {number} second
 * @param {string} zone
 * @returns {number}
 */
export function fromCalendar(year, month, day, hour, minute, second, zone) {
  const wanted = Date.UTC(year, month - 1, day, hour, minute, second);
  // Twice, because the offset at the first guess may be the one before a change of the clocks.
  let guess = wanted;
  for (let round = 0; round < 2; round += 1) guess = wanted - offsetAt(guess, zone);
  return guess;
}

/**
 * How far a zone's wall clock is ahead of UTC at an instant, in milliseconds.
 * @param {number} instant_ms
 * @param {string} zone
 * @returns {number}
 */
export function offsetAt(instant_ms, zone) {
  if (zone === "UTC") return 0;
  const c = calendarOf(instant_ms, zone);
  const wall = Date.UTC(c.year, c.month - 1, c.day, c.hour, c.minute, c.second);
  return wall - Math.floor(instant_ms / 1000) * 1000;
}

/**
 * What a range is called: its preset, or its ends.
 * @param {string} from
 * @param {string} to
 * @param {string} zone
 * @param {number} now_ms
 * @returns {string}
 */
export function rangeLabel(from, to, zone, now_ms) {
  const preset = PRESETS.find((one) => one.from === from && one.to === to);
  if (preset) return preset.label;
  const relative = RELATIVE.exec(from);
  if (to === "now" && relative?.[1] && !relative[3]) {
    return `Last ${formatSpan_s((Number(relative[1]) * STEP_MS[relative[2]]) / 1000)}`;
  }
  const start = instantOf(from, zone, now_ms);
  const end = instantOf(to, zone, now_ms);
  if (Number.isNaN(start) || Number.isNaN(end)) return `${from} to ${to}`;
  const sameDay = formatInstant(start, zone).slice(0, 10) === formatInstant(end, zone).slice(0, 10);
  const seconds = end - start < 600_000;
  return `${formatInstant(start, zone, { seconds })} – ${
    formatInstant(end, zone, { date: !sameDay, seconds })
  }`;
}

/** Windows that can be asked for, with their length; `auto` leaves the choice to the server. */
export const GRANULARITIES = /** @type {{value: string, label: string, seconds: number}[]} */ ([
  { value: "auto", label: "Auto", seconds: 0 },
  { value: "10s", label: "10 seconds", seconds: 10 },
  { value: "30s", label: "30 seconds", seconds: 30 },
  { value: "1m", label: "1 minute", seconds: 60 },
  { value: "5m", label: "5 minutes", seconds: 300 },
  { value: "15m", label: "15 minutes", seconds: 900 },
  { value: "30m", label: "30 minutes", seconds: 1800 },
  { value: "1h", label: "1 hour", seconds: 3600 },
  { value: "3h", label: "3 hours", seconds: 10_800 },
  { value: "6h", label: "6 hours", seconds: 21_600 },
  { value: "12h", label: "12 hours", seconds: 43_200 },
  { value: "1d", label: "1 day", seconds: 86_400 },
  { value: "1w", label: "1 week", seconds: 604_800 },
  { value: "1mo", label: "1 month", seconds: 2_592_000 },
]);

const MAX_WINDOWS = 1500;

/**
 * The granularities that a range can have: no more windows than the server answers, at least one.
 * "Auto" says what it comes to, unless the server chooses.
 * @param {number} span_s
 * @returns {{value: string, label: string}[]}
 */
export function granularitiesFor(span_s) {
  const [auto, ...lengths] = GRANULARITIES;
  const taken = granularityFor("auto", span_s);
  const fitting = lengths.filter(({ seconds }) =>
    span_s / seconds <= MAX_WINDOWS && seconds <= Math.max(span_s, 60)
  );
  const label = taken === auto.value ? auto.label : `${auto.label} (${taken})`;
  return [{ ...auto, label }, ...fitting];
}

/** As many windows as half a screen shows well. */
const GOOD_WINDOWS = 180;

/**
 * What "auto" asks for: windows that a chart can show apart. Below an hour the server chooses,
 * since not every dimension is kept finely.
 * @param {string} chosen
 * @param {number} span_s
 * @returns {string}
 */
export function granularityFor(chosen, span_s) {
  if (chosen !== "auto") return chosen;
  const fit = GRANULARITIES.find((one) =>
    one.seconds >= 60 && span_s / one.seconds <= GOOD_WINDOWS
  );
  return fit && span_s >= 3600 ? fit.value : "auto";
}

/**
 * `+02:00` at an instant.
 * @param {string} zone
 * @param {number} instant_ms
 * @returns {string}
 */
export function zoneOffsetLabel(zone, instant_ms) {
  const parts = dateFormat(zone, { timeZoneName: "longOffset" }).formatToParts(instant_ms);
  const name = parts.find((part) => part.type === "timeZoneName")?.value ?? "";
  return name.replace("GMT", "UTC");
}

/**
 * Whether the browser knows a zone.
 * @param {string} zone
 * @returns {boolean}
 */
export function isZone(zone) {
  let isKnown = knownZones.get(zone);
  if (isKnown === undefined) {
    isKnown = hasClock(zone);
    knownZones.set(zone, isKnown);
  }
  return isKnown;
}

/** Asked with every question; loading the zones takes longer than anything else at the start. */
const knownZones = new Map([["UTC", true]]);

/** @param {string} zone */
function hasClock(zone) {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
