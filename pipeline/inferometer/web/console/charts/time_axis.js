// @ts-check
/** Ticks of a time axis at round moments of the reader's zone, days across clock changes included. */

import { calendarOf, dateFormat } from "../format.js";
import { fromCalendar } from "../shell/ranges.js";

/** Steps in minutes up to a day, in days above. */
const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720];
const DAYS = [1, 2, 7, 14, 30, 91, 365];
const SECONDS = [1, 5, 10, 30];
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/**
 * @param {number} start_ms
 * @param {number} end_ms
 * @param {string} zone
 * @param {number} most how many labels have room
 * @returns {number[]}
 */
export function ticks(start_ms, end_ms, zone, most) {
  const span = end_ms - start_ms;
  const wanted = span / Math.max(2, most);
  const second = SECONDS.find((one) => one * 1000 >= wanted);
  if (second) return everyMs(start_ms, end_ms, second * 1000);
  const minute = MINUTES.find((one) => one * MINUTE_MS >= wanted);
  if (minute) return everyMinutes(start_ms, end_ms, minute, zone);
  const day = DAYS.find((one) => one * DAY_MS >= wanted) ?? 365;
  return everyDays(start_ms, end_ms, day, zone);
}

/**
 * @param {number} start
 * @param {number} end
 * @param {number} step
 */
function everyMs(start, end, step) {
  const result = [];
  for (let at = Math.ceil(start / step) * step; at <= end; at += step) result.push(at);
  return result;
}

/**
 * @param {number} start
 * @param {number} end
 * @param {number} minutes
 * @param {string} zone
 */
function everyMinutes(start, end, minutes, zone) {
  const result = [];
  const c = calendarOf(start, zone);
  const midnight = fromCalendar(c.year, c.month, c.day, 0, 0, 0, zone);
  const step = minutes * MINUTE_MS;
  for (let at = midnight; at <= end; at += step) {
    if (at < start) continue;
    // A change of the clocks moves later hours; what is off the grid is left out.
    const here = calendarOf(at, zone);
    if ((here.hour * 60 + here.minute) % minutes === 0) result.push(at);
  }
  return result;
}

/**
 * @param {number} start
 * @param {number} end
 * @param {number} days
 * @param {string} zone
 */
function everyDays(start, end, days, zone) {
  const result = [];
  const c = calendarOf(start, zone);
  for (let day = 0; day < 4000; day += days) {
    const at = fromCalendar(c.year, c.month, c.day + day, 0, 0, 0, zone);
    if (at > end) break;
    if (at >= start) result.push(at);
  }
  return result;
}

/** The breadth of a character of a label, and what a canvas has to the right of its axis. */
const CHARACTER_PX = 6.3;
const MARGIN_PX = 12;

/**
 * The ticks whose labels are whole: one that stands under the end of an axis would be cut.
 * @param {number[]} at
 * @param {number} start_ms
 * @param {number} end_ms
 * @param {string} zone
 * @param {number} axis_px
 * @returns {number[]}
 */
export function labelled(at, start_ms, end_ms, zone, axis_px) {
  const span = end_ms - start_ms;
  return at.filter((one) => {
    const half_px = tickLabel(one, span, zone).length * CHARACTER_PX / 2;
    return ((end_ms - one) / span) * axis_px + MARGIN_PX >= half_px;
  });
}

/**
 * The text of a tick: the day at midnight, else the time.
 * @param {number} at_ms
 * @param {number} span_ms
 * @param {string} zone
 * @returns {string}
 */
export function tickLabel(at_ms, span_ms, zone) {
  const c = calendarOf(at_ms, zone);
  const isMidnight = c.hour === 0 && c.minute === 0 && c.second === 0;
  if (isMidnight && span_ms > 300 * DAY_MS) {
    return dateFormat(zone, { month: "short", year: "numeric" }).format(at_ms);
  }
  if (isMidnight && span_ms > 6 * 3_600_000) {
    return dateFormat(zone, { day: "numeric", month: "short" }).format(at_ms);
  }
  const seconds = span_ms <= 10 * MINUTE_MS ? /** @type {const} */ ("2-digit") : undefined;
  return dateFormat(zone, { hour: "2-digit", minute: "2-digit", second: seconds }).format(at_ms);
}
