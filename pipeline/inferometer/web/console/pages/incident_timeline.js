// @ts-check
/** Incidents on an axis of time, a lane for each group of an objective. */

/** @import { App } from "../app.js" */
/** @import { Incident } from "./incident_words.js" */

import { tickLabel, ticks } from "../charts/time_axis.js";
import { h, replace } from "../components/dom.js";
import { formatInstant, formatSpan_s } from "../format.js";
import { groupText, lengthOf_s, startOf } from "./incident_words.js";

const LANES = 14;
const TICKS = 8;
const NARROWEST_PERCENT = 0.6;

/**
 * @param {App} app
 * @param {(incidentId: string) => void} onOpen
 */
export function incidentTimeline(app, onOpen) {
  const lanes = h("div", { class: "timeline-lanes" });
  const axis = h("div", { class: "timeline-axis num quiet", "aria-hidden": "true" });
  const more = h("p", { class: "quiet" });
  const legend = h(
    "p",
    { class: "timeline-legend", "aria-hidden": "true" },
    ["page", "ticket", "silenced"].map((kind) => h("span", { class: `is-${kind}` }, kind)),
  );
  const element = h("div", { class: "timeline" }, lanes, axis, legend, more);
  let drawn = "";
  return {
    element,
    /**
     * @param {Incident[]} incidents
     * @param {{from_ms: number, to_ms: number}} span
     */
    set(incidents, span) {
      // A bar that has focus would lose it with every refresh that changes nothing.
      const key = JSON.stringify([
        incidents.map((one) => [one.incident_id, one.resolved_at, one.severity, one.silenced_by]),
        Math.round(span.from_ms / 60_000),
        Math.round(span.to_ms / 60_000),
        app.zone,
      ]);
      if (key === drawn) return;
      drawn = key;
      const byLane = lanesOf(incidents, app);
      replace(
        lanes,
        byLane.slice(0, LANES).map(([name, members]) => lane(app, name, members, span, onOpen)),
      );
      replace(axis, axisTicks(app, span));
      const left = byLane.length - LANES;
      replace(more, left > 0 && `${left} more objectives had incidents; the table below has all.`);
      more.hidden = left <= 0;
    },
  };
}

/**
 * Lanes with the open and the latest on top.
 * @param {Incident[]} incidents
 * @param {App} app
 * @returns {[string, Incident[]][]}
 */
function lanesOf(incidents, app) {
  /** @type {Map<string, Incident[]>} */
  const found = new Map();
  for (const incident of incidents) {
    const group = groupText(incident.labels, app);
    const name = [incident.slo, group].filter(Boolean).join(" · ");
    found.set(name, [...(found.get(name) ?? []), incident]);
  }
  const rank = (/** @type {Incident[]} */ members) => members.some((one) => one.is_open) ? 0 : 1;
  return [...found].sort(([, a], [, b]) =>
    rank(a) - rank(b) || startOf(b[0]).localeCompare(startOf(a[0]))
  );
}

/**
 * @param {App} app
 * @param {string} name
 * @param {Incident[]} members
 * @param {{from_ms: number, to_ms: number}} span
 * @param {(incidentId: string) => void} onOpen
 */
function lane(app, name, members, span, onOpen) {
  return h(
    "div",
    { class: "timeline-lane" },
    h("div", { class: "timeline-name", title: name }, name),
    h("div", { class: "timeline-track" }, members.map((one) => bar(app, one, span, onOpen))),
  );
}

/**
 * @param {App} app
 * @param {Incident} incident
 * @param {{from_ms: number, to_ms: number}} span
 * @param {(incidentId: string) => void} onOpen
 */
function bar(app, incident, span, onOpen) {
  const length_ms = span.to_ms - span.from_ms;
  const percent = (/** @type {number} */ at_ms) =>
    Math.min(100, Math.max(0, ((at_ms - span.from_ms) / length_ms) * 100));
  const left = percent(Date.parse(startOf(incident)));
  const right = incident.resolved_at ? percent(Date.parse(incident.resolved_at)) : 100;
  const width = Math.max(NARROWEST_PERCENT, right - left);
  const kind = incident.silenced_by.length > 0 ? "silenced" : incident.severity;
  const said = `${incident.severity} ${incident.slo}, from ${
    formatInstant(startOf(incident), app.zone, { seconds: false })
  }, ${formatSpan_s(lengthOf_s(incident))}, ${incident.is_open ? "open" : "resolved"}`;
  const button = h("button", {
    type: "button",
    class: `timeline-bar timeline-${kind} ${incident.is_open ? "is-open" : ""}`,
    "aria-label": said,
    title: said,
    on: { click: () => onOpen(incident.incident_id) },
  });
  button.style.left = `${Math.min(left, 100 - width)}%`;
  button.style.width = `${width}%`;
  return button;
}

/**
 * Round moments of the reader's clock, each under the place that it names.
 * @param {App} app
 * @param {{from_ms: number, to_ms: number}} span
 */
function axisTicks(app, { from_ms, to_ms }) {
  return ticks(from_ms, to_ms, app.zone, TICKS).map((at_ms) => {
    const tick = h(
      "time",
      { datetime: new Date(at_ms).toISOString() },
      tickLabel(at_ms, to_ms - from_ms, app.zone),
    );
    tick.style.left = `${((at_ms - from_ms) / (to_ms - from_ms)) * 100}%`;
    return tick;
  });
}
