// @ts-check
/** What alerts say, in words and links; shared by the pages of alerts and of the night. */

/** @import { App } from "../app.js" */
/** @import { Filter } from "../types.js" */

import { h } from "../components/dom.js";
import {
  dateFormat,
  formatCount,
  formatInstant,
  formatRatio,
  formatSpan_s,
  formatValue,
} from "../format.js";
import { writeFilter } from "../shell/filters.js";

/**
 * One rule with the numbers that decided it.
 * @typedef {object} RuleFacts
 * @property {string} rule
 * @property {string} severity
 * @property {boolean} is_true
 * @property {number} threshold
 * @property {number} long_s
 * @property {number} long_burn
 * @property {number} long_bad
 * @property {number} long_total
 * @property {number} short_s
 * @property {number} short_burn
 * @property {number} short_bad
 * @property {number} short_total
 * @property {number | null} p_value
 * @property {number | null} value
 * @property {string} unit
 */

/**
 * What a share of the bad requests, or of a rise of cost, has in common.
 * @typedef {object} Driver
 * @property {string} dimension
 * @property {string} value
 * @property {number} share
 */

/**
 * @typedef {object} Incident
 * @property {string} incident_id
 * @property {string} service
 * @property {string} slo
 * @property {string} family
 * @property {"page" | "ticket"} severity
 * @property {Record<string, string>} labels
 * @property {string | null} starts_at
 * @property {string} detected_at
 * @property {string | null} resolved_at
 * @property {string} resolve_reason
 * @property {number} episodes
 * @property {string[]} rules
 * @property {number} pages_delivered
 * @property {number} notices_delivered
 * @property {boolean} is_open
 * @property {string[]} silenced_by
 * @property {string | null} silenced_until
 * @property {string} description
 * @property {string} owner
 * @property {Record<string, string>} links
 * @property {number | null} objective
 */

const RECENT_S = 18 * 3600;
const IDENTITY = new Set(["workspace", "service", "slo", "severity", "alertname"]);

/** @type {Record<string, string>} */
const HAPPENINGS = {
  pending: "A rule is about to fire",
  firing: "Fired",
  escalated: "Became a page",
  cleared: "The condition cleared; held for a while against flapping",
  resolved: "Resolved",
  reopened: "Fired again soon after, so it is the same incident",
  suppressed: "Muted",
  unsuppressed: "No longer muted",
  rule_fired: "Rule fired",
  rule_severity_rose: "Rule became a page",
  rule_cleared: "Rule cleared",
  rule_true_again: "Rule is true again",
  rule_stale: "Rule has no data",
  rule_fresh: "Rule has data again",
  rule_flapping: "Rule flaps, so it is held longer",
  rule_resolved: "Rule resolved",
  true_again: "The condition is true again",
  stale: "No data: neither firing nor well can be told",
  fresh: "Data is back",
};

/** @type {Record<string, string>} */
const STATE_KINDS = { firing: "bad", stale: "warn", resolved: "warn", ok: "good", "no data": "" };

/** @type {Record<string, string>} */
const STATE_DEFINITIONS = {
  ok: "Every rule of it is false.",
  firing: "A rule is true, or was a moment ago and is held against flapping.",
  resolved: "It resolved a moment ago; it opens again as the same incident if it comes back.",
  stale: "It fired, and data has stopped: it never resolves on silence.",
  "no data": "No requests to judge by.",
};

/**
 * A clause of the server as a sentence of its own.
 * @param {string} text
 */
export function sentence(text) {
  return text ? `${capital(text)}.` : "";
}

/** @param {string} text */
export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {Incident} incident */
export function startOf(incident) {
  return incident.starts_at ?? incident.detected_at;
}

/**
 * @param {Incident} incident
 * @param {number} [now_ms]
 * @returns {number}
 */
export function lengthOf_s(incident, now_ms = Date.now()) {
  const end_ms = incident.resolved_at ? Date.parse(incident.resolved_at) : now_ms;
  return Math.max(0, (end_ms - Date.parse(startOf(incident))) / 1000);
}

/**
 * The values of an incident's group: `m-large, eu-west-1`.
 * @param {Record<string, string>} labels
 * @param {App} app
 * @returns {string}
 */
export function groupText(labels, app) {
  return Object.entries(labels)
    .filter(([name, value]) => !IDENTITY.has(name) && name !== "tier" && value)
    .map(([name, value]) => `${app.dimensionLabel(name)} ${value}`)
    .join(", ");
}

/**
 * @param {Incident} incident
 * @returns {HTMLElement}
 */
export function severityBadge(incident) {
  if (!incident.is_open) return h("span", { class: "badge badge-good" }, "resolved");
  if (incident.silenced_by.length > 0) return h("span", { class: "badge" }, "silenced");
  const kind = incident.severity === "page" ? "badge-bad" : "badge-warn";
  return h("span", { class: `badge ${kind}` }, incident.severity);
}

/**
 * @param {string} state
 * @param {string} [severity]
 * @returns {HTMLElement}
 */
export function stateBadge(state, severity = "") {
  const kind = state === "firing" && severity === "ticket" ? "warn" : STATE_KINDS[state] ?? "";
  const words = state === "firing" && severity ? `firing: ${severity}` : state;
  return h(
    "span",
    { class: `badge ${kind ? `badge-${kind}` : ""}`, title: STATE_DEFINITIONS[state] ?? null },
    words,
  );
}

/**
 * Why nobody is told of it; empty where somebody is.
 * @param {string[]} suppressedBy Silences and maintenance windows by their kind, or incidents.
 */
export function suppressionWord(suppressedBy) {
  if (suppressedBy.length === 0) return "";
  const isByPeople = suppressedBy.some((each) => /^(silence|maintenance):/.test(each));
  return isByPeople ? "silenced" : "inhibited";
}

/**
 * @param {string[]} suppressedBy
 * @returns {HTMLElement | null}
 */
export function suppressionBadge(suppressedBy) {
  const word = suppressionWord(suppressedBy);
  const title = `Nobody is told: ${suppressedBy.join(", ")}`;
  return word ? h("span", { class: "badge", title }, word) : null;
}

/**
 * @param {string} kind
 * @returns {string}
 */
export function happening(kind) {
  return HAPPENINGS[kind] ?? kind.replaceAll("_", " ");
}

/**
 * The numbers of a rule as one sentence.
 * @param {RuleFacts} facts
 * @returns {string}
 */
export function factsText(facts) {
  if (!facts.long_s) {
    const value = plainValue(facts.value, facts.unit);
    return `${value}, fires at ${plainValue(facts.threshold, facts.unit)}`;
  }
  const windows = [windowText(facts, "long"), facts.short_s > 0 && windowText(facts, "short")];
  const fires = facts.unit
    ? `fires over ${plainValue(facts.threshold, facts.unit)}`
    : `fires over burn ${formatCount(facts.threshold)}`;
  return `${windows.filter(Boolean).join("; ")}; ${fires}${chanceText(facts.p_value)}`;
}

/**
 * @param {RuleFacts} facts
 * @param {"long" | "short"} side
 */
function windowText(facts, side) {
  const bad = formatCount(facts[`${side}_bad`], { isLong: true });
  const total = formatCount(facts[`${side}_total`], { isLong: true });
  const burn = formatCount(Math.round(facts[`${side}_burn`] * 10) / 10);
  return `${bad} bad of ${total} in ${formatSpan_s(facts[`${side}_s`])} (burn ${burn})`;
}

/** @param {number | null} pValue */
export function chanceText(pValue) {
  if (pValue === null || pValue === undefined) return "";
  return pValue < 1e-6
    ? "; by chance less than once in a million"
    : `; by chance ${formatCount(pValue)}`;
}

/**
 * @param {number | null} value
 * @param {string} unit
 * @returns {string}
 */
export function plainValue(value, unit) {
  if (unit.startsWith("share")) return formatRatio(value);
  if (unit === "usd" || unit === "ms" || unit === "s") return formatValue(value, unit);
  return `${formatCount(value)} ${unit}`.trim();
}

/**
 * Say how an instant lies: `02:41, 31 min ago`; with its date where it was not just now.
 * @param {string} at
 * @param {App} app
 * @param {number} [now_ms]
 */
export function sinceText(at, app, now_ms = Date.now()) {
  const ago_s = Math.max(0, (now_ms - Date.parse(at)) / 1000);
  const instant = ago_s < RECENT_S
    ? dateFormat(app.zone, { hour: "2-digit", minute: "2-digit" }).format(Date.parse(at))
    : formatInstant(at, app.zone, { seconds: false });
  return `${instant}, ${roundSpan(ago_s)} ago`;
}

/**
 * A span without its seconds, which nobody reads at night.
 * @param {number} span_s
 */
export function roundSpan(span_s) {
  return span_s < 60 ? "under a minute" : formatSpan_s(Math.floor(span_s / 60) * 60);
}

/**
 * A link to the rows of the log that an incident is about.
 * @param {App} app
 * @param {{from: string, to: string, filters: Filter[], statuses: string[]}} rows
 * @returns {string}
 */
export function logsHref(app, { from, to, filters, statuses }) {
  return app.href(
    "logs",
    { from, to, filter: filters.map(writeFilter), status: statuses },
    { keepFilters: false },
  );
}

/**
 * The links that an incident carries, as buttons that open beside the console.
 * @param {Incident} incident
 * @returns {HTMLElement[]}
 */
export function linkButtons(incident) {
  return Object.entries(incident.links).filter(([, url]) => /^https?:/.test(url)).map((
    [name, url],
  ) =>
    h(
      "a",
      { class: "button", href: url, target: "_blank", rel: "noreferrer" },
      name.charAt(0).toUpperCase() + name.slice(1),
      h("span", { class: "sr-only" }, " (opens in a new tab)"),
    )
  );
}

/**
 * A share with no more digits than one can read half asleep.
 * @param {number | null} share
 */
export function roughRatio(share) {
  const isRough = share !== null && share >= 0.1 && share < 0.995;
  return formatRatio(isRough ? Math.round(share * 100) / 100 : share);
}

/**
 * What a silence of this incident, and of nothing else, matches.
 * @param {Incident} incident
 * @returns {{name: string, value: string, isRegex: boolean, isEqual: boolean}[]}
 */
export function matchersOf(incident) {
  return Object.entries(incident.labels)
    .filter(([name, value]) =>
      value && (IDENTITY.has(name) ? name !== "severity" : name !== "tier")
    )
    .map(([name, value]) => ({ name, value, isRegex: false, isEqual: true }));
}

/** @type {Record<string, string>} */
const SIGNS = { "true,false": "=", "false,false": "!=", "true,true": "=~", "false,true": "!~" };

/**
 * A matcher as people write it.
 * @param {{name: string, value: string, isRegex: boolean, isEqual?: boolean}} matcher
 * @returns {string}
 */
export function matcherText({ name, value, isRegex, isEqual = true }) {
  return `${name}${SIGNS[`${isEqual},${isRegex}`]}"${value}"`;
}
