// @ts-check
/** Writes numbers, money, durations and instants for people; `–` is what cannot be said. */

export const NOTHING = "–";

const COMPACT_STEPS = /** @type {[number, string][]} */ ([
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
]);

/** @type {Map<string, Intl.NumberFormat>} */
const numberFormats = new Map();

/**
 * @param {number} value
 * @param {number} digits
 * @param {number} [least]
 * @returns {string}
 */
function fixed(value, digits, least = 0) {
  const key = `${digits}/${least}`;
  let format = numberFormats.get(key);
  if (!format) {
    format = new Intl.NumberFormat("en-US", {
      maximumFractionDigits: digits,
      minimumFractionDigits: least,
    });
    numberFormats.set(key, format);
  }
  return format.format(value);
}

/**
 * Three significant digits and a step: `1.24 M`.
 * @param {number} value
 * @returns {string}
 */
function compact(value) {
  const size = Math.abs(value);
  for (const [step, sign] of COMPACT_STEPS) {
    // 999,950 would round to "1,000 k".
    if (size >= step * 0.99995) return `${significant(value / step)} ${sign}`;
  }
  return significant(value);
}

/**
 * @param {number} value
 * @returns {string}
 */
function significant(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 100) return fixed(value, 0);
  if (size >= 10) return fixed(value, 1);
  if (size >= 1) return fixed(value, 2);
  return size >= 1e-6 ? fixed(value, 2 - Math.floor(Math.log10(size))) : value.toExponential(1);
}

/**
 * @param {number | null | undefined} value
 * @param {{isLong?: boolean}} [options]
 * @returns {string}
 */
export function formatCount(value, { isLong = false } = {}) {
  if (value === null || value === undefined) return NOTHING;
  if (isLong) return fixed(value, 3);
  return Math.abs(value) < 10_000 && Number.isInteger(value) ? fixed(value, 0) : compact(value);
}

/**
 * Money keeps the digits that matter: cents above a dollar, four digits below a cent.
 * @param {number | null | undefined} value
 * @param {{isLong?: boolean}} [options]
 * @returns {string}
 */
export function formatUsd(value, { isLong = false } = {}) {
  if (value === null || value === undefined) return NOTHING;
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (isLong) return `${sign}$${fixed(size, size >= 1 ? 4 : 9, 2)}`;
  if (size >= 1e6) return `${sign}$${compact(size)}`;
  if (size >= 1000) return `${sign}$${fixed(size, 0)}`;
  if (size >= 1 || size === 0) return `${sign}$${fixed(size, 2, 2)}`;
  if (size >= 0.01) return `${sign}$${fixed(size, 4, 2)}`;
  return size >= 1e-9
    ? `${sign}$${fixed(size, Math.min(12, 2 - Math.floor(Math.log10(size))))}`
    : "$0";
}

/**
 * @param {number | null | undefined} value_ms
 * @param {{isLong?: boolean}} [options]
 * @returns {string}
 */
export function formatDuration_ms(value_ms, { isLong = false } = {}) {
  if (value_ms === null || value_ms === undefined) return NOTHING;
  if (isLong) return `${fixed(value_ms, 3)} ms`;
  const size = Math.abs(value_ms);
  // Ends of noughts stay: 5.9 s below 5.58 s would look as if it were measured less exactly.
  if (size >= 120_000) return `${fixed(value_ms / 60_000, 1, 1)} min`;
  if (size >= 1000) return `${fixed(value_ms / 1000, 2, 2)} s`;
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return size >= 1 ? `${fixed(value_ms, digits, digits)} ms` : `${significant(value_ms)} ms`;
}

/**
 * A share as a percentage; near 100 % it keeps the digits that tell 99.9 from 99.99.
 * @param {number | null | undefined} value
 * @param {{isLong?: boolean}} [options]
 * @returns {string}
 */
export function formatRatio(value, { isLong = false } = {}) {
  if (value === null || value === undefined) return NOTHING;
  if (value < 0) return `−${formatRatio(-value, { isLong })}`;
  const percent = value * 100;
  if (isLong) return `${fixed(percent, 4)} %`;
  if (percent === 0 || percent === 100) return `${percent} %`;
  if (percent > 100) return `${fixed(percent, percent < 110 ? 1 : 0)} %`;
  if (percent > 99.99 && percent < 100) return `${fixed(Math.floor(percent * 1e4) / 1e4, 4)} %`;
  if (percent >= 99 || percent < 1) return `${fixed(percent, percent < 0.01 ? 4 : 2)} %`;
  return `${fixed(percent, 1)} %`;
}

/**
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function formatBytes(value) {
  if (value === null || value === undefined) return NOTHING;
  if (Math.abs(value) < 1000) return `${fixed(value, 0)} B`;
  return `${compact(value)}B`;
}

/**
 * A span of time in its largest two units: `2 d 3 h`, `45 s`.
 * @param {number | null | undefined} seconds
 * @returns {string}
 */
export function formatSpan_s(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  const sign = seconds < 0 ? "−" : "";
  const size = Math.abs(seconds);
  if (size < 1) return `${sign}${fixed(size, 2)} s`;
  if (size < 60) return `${sign}${fixed(size, size < 10 ? 1 : 0)} s`;
  const whole = Math.round(size);
  const parts = /** @type {[number, string][]} */ ([
    [Math.floor(whole / 86_400), "d"],
    [Math.floor((whole % 86_400) / 3600), "h"],
    [Math.floor((whole % 3600) / 60), "min"],
    [whole % 60, "s"],
  ]);
  const first = parts.findIndex(([amount]) => amount > 0);
  const shown = parts.slice(first, first + 2).filter(([amount]) => amount > 0);
  return sign + shown.map(([amount, unit]) => `${amount} ${unit}`).join(" ");
}

/** @type {Record<string, string>} */
export const UNIT_WORDS = {
  count: "a count",
  tokens: "tokens",
  usd: "US dollars",
  ms: "milliseconds",
  s: "seconds",
  bytes: "bytes",
  ratio: "a share",
  per_s: "per second",
  per_min: "per minute",
};

/**
 * Write a measure's value in its unit.
 * @param {number | null | undefined} value
 * @param {string} unit
 * @param {{name?: string, isLong?: boolean}} [options]
 * @returns {string}
 */
export function formatValue(value, unit, { name = "", isLong = false } = {}) {
  if (value === null || value === undefined || Number.isNaN(value)) return NOTHING;
  // A factor at or above one reads badly as a percentage.
  if (name === "retry_inflation") return `× ${fixed(value, isLong ? 6 : 3)}`;
  switch (unit) {
    case "usd":
      return formatUsd(value, { isLong });
    case "ms":
      return formatDuration_ms(value, { isLong });
    case "s":
      return isLong ? `${fixed(value, 3)} s` : formatSpan_s(value);
    case "bytes":
      return formatBytes(value);
    case "ratio":
      return formatRatio(value, { isLong });
    case "per_s":
      return `${formatCount(value, { isLong })} /s`;
    case "per_min":
      return `${formatCount(value, { isLong })} /min`;
    default:
      return formatCount(value, { isLong });
  }
}

/**
 * A label of an axis: its durations are all in one unit, which the greatest value decides.
 * @param {number} value
 * @param {string} unit
 * @param {number} most
 * @param {string} [name]
 * @returns {string}
 */
export function formatTick(value, unit, most, name = "") {
  if (unit === "ms" && most < 1000) return `${fixed(value, 3)} ms`;
  if (unit === "ms") return `${fixed(value / 1000, 3)} s`;
  return unit === "s" ? `${fixed(value, 3)} s` : formatValue(value, unit, { name });
}

/**
 * How a value changed, in words, and whether that is good.
 * @param {number | null | undefined} now
 * @param {number | null | undefined} before
 * @param {string} unit
 * @param {boolean | null} [higherIsWorse]
 * @returns {{text: string, kind: "better" | "worse" | "neutral"}}
 */
export function formatChange(now, before, unit, higherIsWorse = null) {
  if (now === null || now === undefined || before === null || before === undefined) {
    return { text: "", kind: "neutral" };
  }
  const difference = now - before;
  const kind = higherIsWorse === null || difference === 0
    ? "neutral"
    : (difference > 0) === higherIsWorse
    ? "worse"
    : "better";
  if (unit === "ratio") {
    const points = difference * 100;
    if (Math.abs(points) < 0.005) return { text: "± 0", kind: "neutral" };
    return { text: `${signed(points, fixed(Math.abs(points), 2))} pp`, kind };
  }
  if (before === 0) return { text: now === 0 ? "± 0" : "new", kind: now === 0 ? "neutral" : kind };
  const percent = (difference / Math.abs(before)) * 100;
  if (Math.abs(percent) < 0.05) return { text: "± 0 %", kind: "neutral" };
  if (Math.abs(percent) >= 1000) {
    return { text: `× ${fixed(now / before, now / before >= 100 ? 0 : 1)}`, kind };
  }
  return {
    text: `${signed(percent, fixed(Math.abs(percent), Math.abs(percent) < 10 ? 1 : 0))} %`,
    kind,
  };
}

/**
 * @param {number} value
 * @param {string} size
 * @returns {string}
 */
function signed(value, size) {
  return `${value > 0 ? "+" : "−"}${size}`;
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const dateFormats = new Map();

/**
 * A date format of a zone, made once: making one costs more than using it.
 * @param {string} zone
 * @param {Intl.DateTimeFormatOptions} options
 * @returns {Intl.DateTimeFormat}
 */
export function dateFormat(zone, options) {
  const key = `${zone} ${JSON.stringify(options)}`;
  let format = dateFormats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone, hourCycle: "h23" });
    dateFormats.set(key, format);
  }
  return format;
}

/**
 * The calendar fields of an instant in a zone.
 * @param {number | string | Date} instant
 * @param {string} zone
 * @returns {Record<string, number>}
 */
export function calendarOf(instant, zone) {
  const parts = dateFormat(zone, {
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(new Date(instant));
  return Object.fromEntries(
    parts.filter((part) => part.type !== "literal").map((part) => [part.type, Number(part.value)]),
  );
}

/**
 * @param {number} value
 * @param {number} [width]
 * @returns {string}
 */
function padded(value, width = 2) {
  return String(value).padStart(width, "0");
}

/**
 * `2026-11-21 14:05` in a zone.
 * @param {number | string | Date | null | undefined} instant
 * @param {string} zone
 * @param {{seconds?: boolean, milliseconds?: boolean, date?: boolean}} [options]
 * @returns {string}
 */
export function formatInstant(instant, zone, options = {}) {
  if (instant === null || instant === undefined || instant === "") return NOTHING;
  const moment = new Date(instant);
  if (Number.isNaN(moment.getTime())) return String(instant);
  const c = calendarOf(moment, zone);
  const date = `${c.year}-${padded(c.month)}-${padded(c.day)} `;
  const seconds = options.seconds || options.milliseconds ? `:${padded(c.second)}` : "";
  const fraction = options.milliseconds ? `.${padded(moment.getUTCMilliseconds(), 3)}` : "";
  const day = options.date === false ? "" : date;
  return `${day}${padded(c.hour)}:${padded(c.minute)}${seconds}${fraction}`;
}
