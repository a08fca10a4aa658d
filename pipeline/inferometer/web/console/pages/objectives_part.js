// @ts-check
/** How every group of every objective stands: state, burn, budget left, time to exhaustion. */

/** @import { App } from "../app.js" */

import { h } from "../components/dom.js";
import { select } from "../components/select.js";
import { emptyState } from "../components/states.js";
import { table } from "../components/table.js";
import { formatRatio, formatSpan_s } from "../format.js";
import { sentence, stateBadge, suppressionBadge } from "./incident_words.js";
import { createPart } from "./part.js";

/**
 * @typedef {object} Standing
 * @property {string} workspace
 * @property {string} service
 * @property {string} slo
 * @property {Record<string, string>} group
 * @property {string} state
 * @property {string} severity
 * @property {string} incident_id
 * @property {number | null} burn
 * @property {number | null} budget_left
 * @property {number | null} exhausts_in_s
 * @property {string[]} true_rules
 * @property {string[]} suppressed_by
 * @property {string} at
 */

const STATES = ["firing", "stale", "resolved", "ok", "no data"];
/** @type {Record<string, number>} */
const STATE_RANKS = { firing: 4, stale: 3, resolved: 2, ok: 1, "no data": 0 };
const ALL = "";

/**
 * @param {App} app
 * @param {(incidentId: string) => void} onOpen
 * @param {() => void} onRetry
 */
export function objectivesPart(app, onOpen, onRetry) {
  const state = select({
    label: "State",
    options: [
      { value: ALL, label: "Any state" },
      ...STATES.map((value) => ({ value, label: value })),
    ],
    value: app.state.get("state"),
    onChange: (value) => app.state.set({ state: value || null }),
    isLabelHidden: true,
  });
  const service = select({
    label: "Service",
    options: [{ value: ALL, label: "Any service" }],
    value: ALL,
    onChange: (value) => app.state.set({ service: value || null }),
    isLabelHidden: true,
  });
  const part = createPart({
    title: "Objectives",
    definition: "Every group of every objective, budget and rule, as evaluated last in event time.",
    actions: [state.element, service.element],
    onRetry,
  });
  const standings = table({
    caption: "Objectives and how they stand",
    columns: columns(app, onOpen),
    sort: sortOf(app),
    onSort: ({ key, isDescending }) => app.state.set({ sort: `${isDescending ? "-" : ""}${key}` }),
    rowKey: (row) => JSON.stringify([row.workspace, row.slo, row.group, row.family]),
    emptyText: "No objective matches; choose another state or service.",
    maxRows: 25,
  });
  return {
    element: part.element,
    /**
     * @param {Promise<any>} answer
     * @param {(rows: Standing[]) => void} onRows
     */
    load: (answer, onRows) =>
      part.load(answer, (body) => {
        const rows = /** @type {Standing[]} */ (body.rows ?? []);
        onRows(rows);
        for (const one of [state, service]) one.element.hidden = rows.length === 0;
        if (rows.length === 0) {
          part.content.replaceChildren(nothing(body));
          return;
        }
        const names = [...new Set(rows.map((row) => row.service))].filter(Boolean).sort();
        service.set(app.state.get("service"), [
          { value: ALL, label: "Any service" },
          ...names.map((value) => ({ value, label: value })),
        ]);
        state.set(app.state.get("state"));
        standings.setSort(sortOf(app));
        const chosen = rows.filter((row) => isChosen(app, row));
        standings.set(app.state.get("sort") ? chosen : chosen.toSorted(byUrgency));
        if (standings.element.parentElement !== part.content) {
          part.content.replaceChildren(standings.element);
        }
      }),
  };
}

/**
 * The order that is shown unless somebody chose another; the column itself is not sorted then.
 * @param {App} app
 */
function sortOf(app) {
  const text = app.state.get("sort");
  return text ? { key: text.replace(/^-/, ""), isDescending: text.startsWith("-") } : null;
}

/**
 * @param {Standing} row
 * @returns {number}
 */
function rankOf(row) {
  return STATE_RANKS[row.state] + (row.state !== "ok" && row.severity === "page" ? 0.5 : 0);
}

/**
 * What fires first, then what has least of its budget left, then what burns most.
 * @param {Standing} a
 * @param {Standing} b
 */
function byUrgency(a, b) {
  return rankOf(b) - rankOf(a) || (a.budget_left ?? 2) - (b.budget_left ?? 2) ||
    (b.burn ?? 0) - (a.burn ?? 0);
}

/**
 * @param {App} app
 * @param {Standing} row
 */
function isChosen(app, row) {
  const [state, service] = [app.state.get("state"), app.state.get("service")];
  return (!state || row.state === state) && (!service || row.service === service);
}

/**
 * @param {App} app
 * @param {(incidentId: string) => void} onOpen
 * @returns {import("../components/table.js").Column[]}
 */
function columns(app, onOpen) {
  return [
    {
      key: "slo",
      label: "Objective",
      definition: "With the values of the dimensions that it groups by.",
      isRowHeader: true,
      value: (row) => `${row.service} ${row.slo} ${groupOf(app, row)}`,
      render: (row) =>
        h(
          "div",
          { class: "alerts-objective" },
          h("span", {}, [row.slo, groupOf(app, row)].filter(Boolean).join(" · ")),
          h("span", { class: "quiet" }, [row.workspace, row.service].filter(Boolean).join(" / ")),
        ),
    },
    {
      key: "state",
      label: "State",
      definition: "Firing while a rule is true; no data where there is nothing to judge by.",
      value: rankOf,
      render: (row) => [
        stateBadge(row.state, row.state === "ok" ? "" : row.severity),
        " ",
        suppressionBadge(row.suppressed_by),
        row.incident_id && h(
          "button",
          {
            class: "button button-quiet alerts-explain",
            type: "button",
            "aria-label": `Explain the incident of ${row.slo} ${groupOf(app, row)}`,
            on: { click: () => onOpen(row.incident_id) },
          },
          "Explain",
        ),
      ],
    },
    {
      key: "burn",
      label: "Burn",
      unit: "count",
      definition:
        "How many times faster than allowed the budget is spent, over the long window of the rule that fires; 1 spends it exactly in its period.",
    },
    {
      key: "budget_left",
      label: "Budget left",
      align: "end",
      definition: "Share of the period's error budget that is left; below zero it is overspent.",
      render: (row) => budget(row.budget_left),
    },
    {
      key: "exhausts_in_s",
      label: "Exhausted in",
      align: "end",
      definition: "When the budget is gone at the burn of the longest window that is true.",
      render: (row) => exhaustion(row.exhausts_in_s),
    },
    {
      key: "true_rules",
      label: "True rules",
      class: "alerts-rules",
      isSortable: false,
      value: (row) => row.true_rules.join(", ") || null,
    },
  ];
}

/**
 * @param {App} app
 * @param {Standing} row
 */
function groupOf(app, row) {
  return Object.entries(row.group).map(([name, value]) => `${app.dimensionLabel(name)} ${value}`)
    .join(", ");
}

/** @param {number | null} left_s */
function exhaustion(left_s) {
  if (left_s === null) return "–";
  return left_s <= 0 ? "spent" : formatSpan_s(left_s);
}

/** @param {number | null} left */
function budget(left) {
  if (left === null) return "–";
  const meter = h("span", { class: "alerts-meter", "aria-hidden": "true" });
  const fill = h("span", { class: left < 0.1 ? "is-bad" : left < 0.4 ? "is-warn" : "" });
  fill.style.width = `${Math.max(0, Math.min(1, left)) * 100}%`;
  meter.append(fill);
  return h(
    "span",
    { class: "alerts-budget" },
    meter,
    h("span", { class: left <= 0 ? "num is-bad" : "num" }, formatRatio(left)),
  );
}

/** @param {any} body */
function nothing(body) {
  if (body.is_configured === false) {
    return h(
      "div",
      {},
      emptyState({
        title: "No objectives are evaluated here yet",
        text: sentence(body.reason),
      }),
      h("pre", { class: "mono alerts-example" }, EXAMPLE),
    );
  }
  return emptyState({
    title: "Nothing has been evaluated yet",
    text:
      "The first state appears when requests that an objective is about have been counted, within a minute.",
  });
}

const EXAMPLE = `# slos.yaml
format: inferometer.slos.v1
slos:
  - name: answers-succeed
    service: gateway
    indicator: availability
    objective: 0.999
    group_by: model

inferometer slo check slos.yaml
inferometer serve --slo slos.yaml …`;
