// @ts-check
/** One incident on the night screen: what, since when, for whom, where, how, and what to do first. */

/** @import { App } from "../app.js" */
/** @import { Filter } from "../types.js" */
/** @import { Incident, RuleFacts } from "./incident_words.js" */

import { h } from "../components/dom.js";
import { formatCount, formatRatio, formatSpan_s, formatUsd } from "../format.js";
import {
  factsText,
  groupText,
  linkButtons,
  logsHref,
  roughRatio,
  severityBadge,
  sinceText,
  startOf,
} from "./incident_words.js";
import { standouts } from "./oncall_standouts.js";
import { openSilenceForm } from "./silence_form.js";

/**
 * @typedef {object} Standout
 * @property {string} dimension
 * @property {string} value
 * @property {number} total
 * @property {number} bad
 * @property {number | null} bad_ratio
 * @property {number | null} rest_bad_ratio
 * @property {number} share_of_total
 * @property {number} share_of_excess
 */

/**
 * @typedef {object} Behind
 * @property {"failures" | "slow" | "cost"} about
 * @property {string} duration
 * @property {number | null} slow_over_ms
 * @property {{from: string, to: string}} during
 * @property {{from: string, to: string} | null} before
 * @property {number} total
 * @property {number} bad
 * @property {number | null} bad_ratio
 * @property {number | null} bad_ratio_before
 * @property {number} bad_before_scaled
 * @property {{dimension: string, affected: number, seen: number, share: number,
 *   is_partial: boolean}[]} affected
 * @property {Standout[]} stands_out
 * @property {string[]} examined
 * @property {{dimension: string, value: string, count: number, share: number,
 *   share_before: number | null}[]} kinds
 * @property {Filter[]} filters
 * @property {string[]} bad_classes
 * @property {string[]} notes
 */

/**
 * @typedef {Incident & {age_s: number, cleared_at: string | null, numbers: RuleFacts[],
 *   burn: number | null, budget_left: number | null, exhausts_in_s: number | null,
 *   behind: Behind | null}} NightIncident
 */

const KINDS_SHOWN = 3;
const NUMBERS_SHOWN = 3;
/** @type {Record<string, string>} */
const PLURALS = { user_id: "users", team_id: "teams", workspace_id: "workspaces" };

/**
 * @param {App} app
 * @param {NightIncident} incident
 * @param {{isOpen: boolean, onChange: () => void}} options
 * @returns {HTMLElement}
 */
export function nightIncident(app, incident, { isOpen, onChange }) {
  const { behind } = incident;
  const title = [incident.slo, groupText(incident.labels, app)].filter(Boolean).join(" · ");
  const isLoud = incident.severity === "page" && incident.silenced_by.length === 0;
  return h(
    "details",
    { class: `card night-incident ${isLoud ? "is-page" : ""}`, open: isOpen },
    h(
      "summary",
      {},
      h("h2", {}, title),
      severityBadge(incident),
      h("span", { class: "night-what" }, whatText(incident)),
      whereText(app, incident),
      h(
        "span",
        { class: "night-since" },
        `Since ${sinceText(startOf(incident), app)}.`,
        clearedText(incident, app),
      ),
    ),
    actions(app, incident, onChange),
    behind?.affected?.length ? forWhom(behind) : null,
    behind?.stands_out ? standouts(app, behind) : null,
    behind?.kinds?.length ? how(app, behind) : null,
    numbers(incident),
    behind?.notes?.length ? h("p", { class: "quiet night-notes" }, behind.notes.join(" · ")) : null,
  );
}

/** @param {NightIncident} incident */
function whatText({ behind, slo, description, service }) {
  if (!behind || behind.total === undefined) return description || `${service} breaks ${slo}`;
  if (behind.about === "cost") {
    const before = behind.before ? ` instead of ${formatUsd(behind.bad_before_scaled)}` : "";
    return `${formatUsd(behind.bad)} spent${before}`;
  }
  const was = behind.bad_ratio_before === null
    ? ""
    : `, was ${formatRatio(behind.bad_ratio_before)}`;
  const slow = `take over ${
    formatSpan_s((behind.slow_over_ms ?? 0) / 1000)
  } (${behind.duration.toUpperCase()})`;
  const verb = behind.about === "slow" ? slow : "fail";
  return `${formatRatio(behind.bad_ratio)} of requests ${verb}${was}`;
}

/**
 * Where to look first, in a line, so that a folded incident tells it too.
 * @param {App} app
 * @param {NightIncident} incident
 */
function whereText(app, { behind }) {
  const first = behind?.stands_out?.[0];
  if (!first) return null;
  return h(
    "span",
    { class: "night-where" },
    `${app.dimensionLabel(first.dimension)} `,
    h("strong", {}, first.value),
    ` has ${roughRatio(first.share_of_excess)} of it`,
  );
}

/**
 * @param {NightIncident} incident
 * @param {App} app
 */
function clearedText(incident, app) {
  return incident.cleared_at
    ? h(
      "span",
      { class: "night-cleared" },
      ` The condition cleared ${sinceText(incident.cleared_at, app)}; held for a while.`,
    )
    : null;
}

/**
 * @param {App} app
 * @param {NightIncident} incident
 * @param {() => void} onChange
 */
function actions(app, incident, onChange) {
  const { behind } = incident;
  const rows = {
    from: behind?.during?.from ?? startOf(incident),
    to: behind?.during?.to ?? new Date().toISOString(),
    filters: behind?.filters ?? [],
    statuses: behind?.bad_classes ?? [],
  };
  const runbook = linkButtons(incident);
  runbook[0]?.classList.add("button-primary");
  return h(
    "div",
    { class: "night-actions" },
    runbook,
    h(
      "a",
      { class: "button", href: logsHref(app, rows) },
      behind?.about === "failures" ? "Failing requests" : "Its requests",
    ),
    h(
      "a",
      {
        class: "button",
        href: app.href("alerts", { incident: incident.incident_id }, { keepFilters: false }),
      },
      "Explain",
    ),
    app.can("operator") && h(
      "button",
      {
        class: "button",
        type: "button",
        on: { click: () => openSilenceForm(app, incident, onChange) },
      },
      incident.silenced_by.length > 0 ? "Silence longer…" : "Silence…",
    ),
  );
}

/** @param {Behind} behind */
function forWhom({ affected, bad, total, about }) {
  const verb = about === "slow" ? "slow" : "failed";
  return h(
    "section",
    { class: "night-part", "aria-label": "For whom" },
    h("h3", {}, "For whom"),
    h(
      "ul",
      { class: "night-whom" },
      affected.map((one) =>
        h(
          "li",
          {},
          h("strong", { class: "num" }, roughRatio(one.share)),
          h("span", {}, ` of ${PLURALS[one.dimension]}`),
          h(
            "span",
            { class: "quiet" },
            `${formatCount(one.affected)} of ${one.is_partial ? "over " : ""}${
              formatCount(one.seen)
            }`,
          ),
        )
      ),
      h(
        "li",
        {},
        h("strong", { class: "num" }, formatCount(Math.round(bad))),
        h("span", {}, ` requests ${verb}`),
        h("span", { class: "quiet" }, `of ${formatCount(Math.round(total))}`),
      ),
    ),
  );
}

/**
 * @param {App} app
 * @param {Behind} behind
 */
function how(app, { kinds }) {
  const types = kinds.filter((one) => one.dimension === "error_type").slice(0, KINDS_SHOWN);
  const codes = kinds.filter((one) => one.dimension === "status_code").slice(0, KINDS_SHOWN);
  return h(
    "section",
    { class: "night-part", "aria-label": "How it fails" },
    h("h3", {}, "How it fails"),
    h(
      "ul",
      { class: "night-kinds" },
      [...types, ...codes].map((one) =>
        h(
          "li",
          {},
          h(
            "span",
            {},
            h("strong", {}, one.value || "none given"),
            h("span", { class: "quiet" }, ` ${app.dimensionLabel(one.dimension).toLowerCase()}`),
          ),
          h("span", { class: "num" }, roughRatio(one.share)),
          h(
            "span",
            { class: "quiet num" },
            one.share_before === null ? "" : `was ${roughRatio(one.share_before)}`,
          ),
        )
      ),
    ),
  );
}

/**
 * @param {RuleFacts} a
 * @param {RuleFacts} b
 */
function bySeverity(a, b) {
  return Number(b.severity === "page") - Number(a.severity === "page") ||
    b.long_burn - a.long_burn;
}

/** @param {NightIncident} incident */
function numbers({ numbers: fired, budget_left, exhausts_in_s, objective }) {
  const budget = [
    objective !== null && `objective ${formatRatio(objective)}`,
    budget_left !== null && `${formatRatio(budget_left)} of the budget left`,
    exhausts_in_s !== null && exhausts_in_s > 0 && `exhausted in ${formatSpan_s(exhausts_in_s)}`,
  ].filter(Boolean).join(", ");
  if (fired.length === 0 && !budget) return null;
  return h(
    "section",
    { class: "night-part", "aria-label": "The numbers that fired" },
    h("h3", {}, "The numbers that fired"),
    budget && h("p", {}, budget.charAt(0).toUpperCase() + budget.slice(1)),
    h(
      "ul",
      { class: "night-numbers" },
      fired.toSorted(bySeverity).slice(0, NUMBERS_SHOWN).map((facts) =>
        h("li", {}, h("strong", {}, facts.rule), ` ${factsText(facts)}`)
      ),
    ),
  );
}
