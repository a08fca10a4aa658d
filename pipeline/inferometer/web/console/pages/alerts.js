// @ts-check
/** Alerts: how objectives stand, what fired when, why, who was told, and what is silenced. */

/** @import { App } from "../app.js" */
/** @import { Page, Question } from "../types.js" */
/** @import { Incident } from "./incident_words.js" */
/** @import { Standing } from "./objectives_part.js" */

import { h, replace } from "../components/dom.js";
import { table } from "../components/table.js";
import { tile } from "../components/tile.js";
import { formatInstant, formatSpan_s } from "../format.js";
import { incidentPanel } from "./incident_panel.js";
import { incidentTimeline } from "./incident_timeline.js";
import { groupText, lengthOf_s, severityBadge, startOf } from "./incident_words.js";
import { notificationsPart } from "./notifications_part.js";
import { objectivesPart } from "./objectives_part.js";
import { createPart, rowsOf } from "./part.js";
import { silencesPart } from "./silences_part.js";
import { spanQuery } from "./span_query.js";

/** @type {Page} */
export const page = {
  name: "alerts",
  title: "Alerts",
  controls: { range: true, refresh: true, filters: [] },
  first: (app) => Object.values(questions(app)),
  create(root, app) {
    const view = new AlertsView(root, app);
    return { refresh: (signal) => view.refresh(signal), destroy: () => view.panel.close() };
  },
};

/**
 * @param {App} app
 * @returns {Record<"standings" | "incidents" | "silences" | "notifications", Question>}
 */
function questions(app) {
  const { workspace } = app.state;
  return {
    standings: ["/alerts/status", { workspace }],
    incidents: ["/incidents", spanQuery(app)],
    silences: ["/silences", { workspace }],
    notifications: ["/notifications", spanQuery(app)],
  };
}

class AlertsView {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    const again = () => void app.refresh();
    const open = (/** @type {string} */ id) => app.state.set({ incident: id });
    this.tiles = {
      pages: tile({
        label: "Pages firing",
        definition: "Open incidents that somebody must look at now, silenced ones left out.",
        higherIsWorse: true,
      }),
      tickets: tile({
        label: "Tickets firing",
        definition: "Open incidents for working hours, silenced ones left out.",
        higherIsWorse: true,
      }),
      left: tile({
        label: "Least budget left",
        definition: "The smallest share of an error budget that any group has left.",
        unit: "ratio",
      }),
      silences: tile({
        label: "Active silences",
        definition: "Silences that keep notices back now.",
      }),
    };
    this.objectives = objectivesPart(app, open, again);
    this.timeline = incidentTimeline(app, open);
    this.incidents = createPart({
      title: "Incidents",
      definition: "What was open at some time of the chosen range; an open one reaches to its end.",
      onRetry: again,
    });
    this.list = table({
      caption: "Incidents",
      columns: incidentColumns(app),
      sort: { key: "since", isDescending: true },
      onRow: (row) => open(row.incident_id),
      rowKey: (row) => row.incident_id,
      rowLabel: (row) => `Explain the incident of ${row.slo} ${groupText(row.labels, app)}`,
      maxRows: 20,
    });
    this.silences = silencesPart(app, again);
    this.notifications = notificationsPart(app, open, again);
    this.panel = incidentPanel(app, () => app.state.set({ incident: null }), again);
    root.append(
      h("div", { class: "grid-tiles" }, Object.values(this.tiles).map((one) => one.element)),
      this.objectives.element,
      this.incidents.element,
      this.silences.element,
      this.notifications.element,
    );
  }

  /** @param {AbortSignal} signal */
  async refresh(signal) {
    const { api } = this.app;
    const asked = questions(this.app);
    await Promise.all([
      this.objectives.load(
        api.get(...asked.standings, { signal }),
        (rows) => this.#left(rows),
      ),
      this.incidents.load(
        api.get(...asked.incidents, { signal }),
        (body) => this.#incidents(rowsOf(body, "incidents")),
      ),
      this.silences.load(
        api.get(...asked.silences, { signal }),
        (active) => this.tiles.silences.set({ value: active }),
      ),
      this.notifications.load(api.get(...asked.notifications, { signal })),
      this.panel.set(this.app.state.get("incident"), signal),
    ]);
  }

  /** @param {Standing[]} rows */
  #left(rows) {
    const known = rows.filter((row) => row.budget_left !== null);
    const least = known.reduce(
      (a, b) => a && Number(a.budget_left) <= Number(b.budget_left) ? a : b,
      /** @type {Standing | null} */ (null),
    );
    const group = least ? Object.values(least.group).join(", ") : "";
    this.tiles.left.set({
      value: least?.budget_left ?? null,
      note: least ? [least.slo, group].filter(Boolean).join(" · ") : "",
    });
  }

  /** @param {Incident[]} rows */
  #incidents(rows) {
    const loud = rows.filter((row) => row.is_open && row.silenced_by.length === 0);
    this.tiles.pages.set({ value: loud.filter((row) => row.severity === "page").length });
    this.tiles.tickets.set({ value: loud.filter((row) => row.severity !== "page").length });
    if (rows.length === 0) {
      replace(
        this.incidents.content,
        h(
          "p",
          { class: "quiet alerts-none" },
          "No incident in this time range. Choose a longer one to look back.",
        ),
      );
      return;
    }
    const to_ms = Math.max(...rows.map((row) => Date.parse(row.resolved_at ?? row.detected_at)));
    const from_ms = Math.min(...rows.map((row) => Date.parse(startOf(row))));
    const isOpen = rows.some((row) => row.is_open);
    const end_ms = isOpen ? Date.now() : to_ms;
    const margin_ms = Math.max(60_000, (end_ms - from_ms) * 0.02);
    // What is open reaches to now and no further.
    const after_ms = isOpen ? 0 : margin_ms;
    this.timeline.set(rows, { from_ms: from_ms - margin_ms, to_ms: end_ms + after_ms });
    this.list.set(rows);
    if (this.list.element.parentElement !== this.incidents.content) {
      replace(this.incidents.content, this.timeline.element, this.list.element);
    }
  }
}

/**
 * @param {App} app
 * @returns {import("../components/table.js").Column[]}
 */
function incidentColumns(app) {
  return [
    { key: "slo", label: "Objective", isRowHeader: true },
    { key: "group", label: "Group", value: (row) => groupText(row.labels, app) || null },
    {
      key: "severity",
      label: "Severity",
      value: (row) => `${row.is_open ? "a" : "b"} ${row.severity}`,
      render: (row) => [
        severityBadge(row),
        !row.is_open && h("span", { class: "quiet" }, ` ${row.severity}`),
      ],
    },
    {
      key: "since",
      label: "Since",
      value: (row) => startOf(row),
      render: (row) => formatInstant(startOf(row), app.zone, { seconds: false }),
    },
    {
      key: "length",
      label: "Lasts",
      align: "end",
      value: (row) => lengthOf_s(row),
      render: (row) => formatSpan_s(lengthOf_s(row)),
    },
    {
      key: "peak_burn",
      label: "Peak burn",
      unit: "count",
      definition: "The highest burn rate over a rule's long window while it was open.",
    },
    {
      key: "pages_delivered",
      label: "Pages sent",
      unit: "count",
      definition: "Notices of severity page that reached a receiver.",
    },
  ];
}
