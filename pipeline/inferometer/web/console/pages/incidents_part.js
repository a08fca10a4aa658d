// @ts-check
/** The incidents that are open now, worst first. */

/** @import { App } from "../app.js" */

import { h, refill } from "../components/dom.js";
import { formatInstant, formatSpan_s } from "../format.js";
import { capital } from "./incident_words.js";
import { createPart, rowsOf } from "./part.js";

/**
 * @typedef {object} IncidentRow
 * @property {string} incident_id
 * @property {string} service
 * @property {string} slo
 * @property {string} family
 * @property {"page"|"ticket"} severity
 * @property {string|null} starts_at
 * @property {string|null} detected_at
 * @property {Record<string, string>} labels
 */

const SHOWN = 6;

/** Labels that the title of an incident says, or that are the same for all. */
const SAID = new Set(["service", "slo", "workspace", "family", "alertname", "severity"]);

/**
 * @param {App} app
 * @param {() => void} onRetry
 */
export function incidentsPart(app, onRetry) {
  const all = h("a", { class: "button button-quiet", href: app.href("alerts") }, "Alerts");
  const part = createPart({
    title: "Open incidents",
    definition: "Objectives, budgets and rules that fire now; silenced ones too.",
    actions: [all],
    onRetry,
  });
  return {
    element: part.element,
    /** @param {Promise<any>} answer */
    load: (answer) =>
      part.load(answer, (body) => {
        all.setAttribute("href", app.href("alerts"));
        refill(part.content, content(app, body));
      }),
  };
}

/**
 * @param {App} app
 * @param {any} body
 * @returns {Node}
 */
function content(app, body) {
  if (body.is_configured === false) {
    return h(
      "p",
      { class: "quiet" },
      body.reason || "Alerts are not configured.",
      " Start with ",
      h("code", { class: "mono" }, "inferometer serve --slo slos/"),
      " to see them here.",
    );
  }
  const rows = /** @type {IncidentRow[]} */ (rowsOf(body, "incidents"));
  if (rows.length === 0) {
    return h(
      "p",
      { class: "overview-calm" },
      h("span", { class: "badge badge-good" }, "All quiet"),
      " No incident is open.",
    );
  }
  const sorted = [...rows].sort((a, b) =>
    Number(b.severity === "page") - Number(a.severity === "page") ||
    String(b.starts_at).localeCompare(String(a.starts_at))
  );
  const more = sorted.length - SHOWN;
  return h(
    "ul",
    { class: "overview-incidents" },
    ...sorted.slice(0, SHOWN).map((row) => incident(app, row)),
    more > 0 && h("li", {}, h("a", { href: app.href("alerts") }, `and ${more} more`)),
  );
}

/**
 * @param {App} app
 * @param {IncidentRow} row
 * @returns {Node}
 */
function incident(app, row) {
  const since = row.starts_at ?? row.detected_at;
  const who = Object.entries(row.labels ?? {})
    .filter(([name]) => !SAID.has(name))
    .map(([name, value]) => `${app.dimensionLabel(name)} ${value}`).join(", ");
  return h(
    "li",
    { class: "overview-incident" },
    h(
      "span",
      { class: `badge ${row.severity === "page" ? "badge-bad" : "badge-warn"}` },
      row.severity,
    ),
    h(
      "div",
      { class: "stack" },
      h(
        "a",
        { href: app.href("alerts", { incident: row.incident_id }, { keepFilters: false }) },
        [row.service, row.slo].filter(Boolean).join(" · "),
      ),
      h(
        "span",
        { class: "quiet" },
        capital(
          [who, since && `for ${age(since)}, since ${formatInstant(since, app.zone)}`]
            .filter(Boolean).join(" · "),
        ),
      ),
    ),
  );
}

/**
 * @param {string} since
 * @returns {string}
 */
function age(since) {
  return formatSpan_s(Math.max(0, (Date.now() - Date.parse(since)) / 1000));
}
