// @ts-check
/** One incident explained: the numbers that fired, what happened in order, and who was told. */

/** @import { App } from "../app.js" */
/** @import { Driver, Incident, RuleFacts } from "./incident_words.js" */

import { h } from "../components/dom.js";
import { errorState, skeleton } from "../components/states.js";
import { openSidePanel } from "../components/side_panel.js";
import { formatCount, formatInstant, formatRatio, formatSpan_s } from "../format.js";
import {
  factsText,
  groupText,
  happening,
  lengthOf_s,
  linkButtons,
  logsHref,
  roughRatio,
  severityBadge,
  startOf,
} from "./incident_words.js";
import { isAbort } from "./part.js";
import { openSilenceForm } from "./silence_form.js";

const DRIVERS =
  "What most of the bad requests, or the rise of cost, had in common when it was last told.";

/**
 * @param {App} app
 * @param {() => void} onClose
 * @param {() => void} onChange a silence was made
 */
export function incidentPanel(app, onClose, onChange) {
  /** @type {ReturnType<typeof openSidePanel> | null} */
  let panel = null;
  let shown = "";
  return {
    /**
     * Show an incident, or none for the empty text.
     * @param {string} id
     * @param {AbortSignal} signal
     */
    async set(id, signal) {
      if (!id) {
        close();
        return;
      }
      if (id !== shown || !panel) open(id);
      try {
        const answer = await app.api.get(`/incidents/${encodeURIComponent(id)}`, {
          workspace: app.state.workspace,
        }, { signal });
        panel?.setTitle(answer.incident.slo);
        panel?.setBody(explanation(app, answer, onChange));
      } catch (error) {
        if (!isAbort(error)) panel?.setBody(errorState(error));
      }
    },
    close,
  };

  /** @param {string} id */
  function open(id) {
    close();
    shown = id;
    panel = openSidePanel({
      title: "Incident",
      body: skeleton("table"),
      onClose: () => {
        const wasShown = shown;
        shown = "";
        panel = null;
        if (wasShown) onClose();
      },
    });
    panel.element.classList.add("incident-panel");
  }

  function close() {
    shown = "";
    panel?.close();
    panel = null;
  }
}

/**
 * @param {App} app
 * @param {{incident: Incident, transitions: any[], notifications: any[]}} answer
 * @param {() => void} onChange
 */
function explanation(app, { incident, transitions, notifications }, onChange) {
  return h(
    "div",
    { class: "stack incident" },
    headline(app, incident),
    actions(app, incident, onChange),
    numbers(transitions),
    drivers(app, incident, notifications),
    h("h3", {}, "What happened"),
    h("ol", { class: "incident-story" }, transitions.map((one) => step(app, one))),
    h("h3", {}, "Who was told"),
    told(app, notifications),
  );
}

/**
 * @param {App} app
 * @param {Incident} incident
 */
function headline(app, incident) {
  const group = groupText(incident.labels, app);
  const facts = [
    ["Since", formatInstant(startOf(incident), app.zone, { seconds: true })],
    ["Noticed", formatInstant(incident.detected_at, app.zone, { seconds: true })],
    incident.resolved_at && [
      "Resolved",
      `${formatInstant(incident.resolved_at, app.zone, { seconds: true })}${
        incident.resolve_reason ? ` (${incident.resolve_reason.replaceAll("_", " ")})` : ""
      }`,
    ],
    [
      "Lasts",
      `${formatSpan_s(lengthOf_s(incident))}${
        incident.episodes > 1 ? `, ${incident.episodes} episodes` : ""
      }`,
    ],
    incident.objective !== null && ["Objective", formatRatio(incident.objective)],
    incident.labels.workspace && ["Workspace", incident.labels.workspace],
    incident.owner && ["Owner", incident.owner],
    incident.silenced_until &&
    ["Silenced until", formatInstant(incident.silenced_until, app.zone, { seconds: false })],
    ["Incident", h("code", { class: "mono" }, incident.incident_id)],
  ];
  return h(
    "div",
    { class: "stack" },
    h(
      "p",
      { class: "row" },
      severityBadge(incident),
      h("span", {}, [incident.service, group].filter(Boolean).join(" · ")),
    ),
    incident.description && h("p", { class: "quiet" }, incident.description),
    h(
      "dl",
      { class: "incident-facts" },
      facts.filter(Boolean).flatMap((
        /** @type {any} */ [name, value],
      ) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
  );
}

/**
 * @param {App} app
 * @param {Incident} incident
 * @param {() => void} onChange
 */
function actions(app, incident, onChange) {
  return h(
    "div",
    { class: "row" },
    incident.is_open && app.can("operator") && h(
      "button",
      {
        class: "button button-primary",
        type: "button",
        on: { click: () => openSilenceForm(app, incident, onChange) },
      },
      "Silence…",
    ),
    h("a", {
      class: "button",
      href: requestsHref(app, incident),
    }, "Its requests"),
    linkButtons(incident),
  );
}

/**
 * A link to the requests that an incident is about, or to those with some more in common.
 * @param {App} app
 * @param {Incident} incident
 * @param {Record<string, string>} [common]
 */
function requestsHref(app, incident, common = {}) {
  const known = new Set(app.dimensions.map((one) => one.name));
  const filters = Object.entries({ ...incident.labels, ...common })
    .filter(([name, value]) => value && known.has(name))
    .map(([dimension, value]) => ({
      dimension,
      match: /** @type {const} */ ("="),
      values: [value],
    }));
  const to = incident.resolved_at ?? new Date().toISOString();
  return logsHref(app, { from: startOf(incident), to, filters, statuses: [] });
}

/**
 * What the last notice of the incident itself named, if one did.
 * @param {App} app
 * @param {Incident} incident
 * @param {any[]} notifications
 */
function drivers(app, incident, notifications) {
  const told = notifications.findLast((one) =>
    one.drivers.length > 0 && one.incident_id === incident.incident_id
  );
  if (!told) return null;
  return h(
    "div",
    { class: "stack" },
    h("h3", { title: DRIVERS }, "Drivers"),
    h(
      "ul",
      { class: "incident-numbers" },
      told.drivers.map((/** @type {Driver} */ { dimension, value, share }) => {
        const text = `${app.dimensionLabel(dimension)} ${value}`;
        const href = requestsHref(app, incident, { [dimension]: value });
        // The factors of a rise of cost are in no row of the log.
        const isLogged = app.dimensions.some((one) => one.name === dimension);
        return h(
          "li",
          {},
          isLogged ? h("a", { href }, text) : text,
          " ",
          h("span", { class: "badge" }, roughRatio(share)),
        );
      }),
    ),
  );
}

/** @param {any[]} transitions */
function numbers(transitions) {
  /** @type {Map<string, RuleFacts>} */
  const fired = new Map();
  for (const one of transitions) {
    for (const facts of one.conditions ?? []) {
      if (facts.is_true) fired.set(facts.rule, facts);
    }
  }
  if (fired.size === 0) return null;
  return h(
    "div",
    { class: "stack" },
    h("h3", {}, "The numbers that fired"),
    h(
      "ul",
      { class: "incident-numbers" },
      [...fired.values()].map((facts) =>
        h(
          "li",
          {},
          h("strong", {}, facts.rule),
          " ",
          h("span", { class: "badge" }, facts.severity),
          h("br"),
          factsText(facts),
        )
      ),
    ),
  );
}

/**
 * @param {App} app
 * @param {any} one
 */
function step(app, one) {
  const details = [one.rule, one.reason?.replaceAll("_", " "), ...(one.suppressed_by ?? [])].filter(
    Boolean,
  );
  return h(
    "li",
    {},
    h(
      "time",
      { class: "num quiet", datetime: one.at },
      formatInstant(one.at, app.zone, { seconds: true }),
    ),
    h(
      "span",
      {},
      happening(one.kind),
      details.length > 0 && h("span", { class: "quiet" }, ` ${details.join(", ")}`),
      one.is_flapping && [" ", h("span", { class: "badge badge-warn" }, "flapping")],
    ),
  );
}

/** @type {Record<string, string>} */
const OUTCOMES = { delivered: "badge-good", retry: "badge-warn", dead: "badge-bad", dropped: "" };

/**
 * @param {App} app
 * @param {any[]} attempts
 */
function told(app, attempts) {
  if (attempts.length === 0) {
    return h("p", { class: "quiet" }, "Nobody: no receiver is configured for it, or it was muted.");
  }
  return h(
    "ol",
    { class: "incident-story" },
    attempts.map((one) =>
      h(
        "li",
        {},
        h(
          "time",
          { class: "num quiet", datetime: one.at },
          formatInstant(one.at, app.zone, { seconds: true }),
        ),
        h(
          "span",
          {},
          h("span", { class: `badge ${OUTCOMES[one.outcome] ?? ""}` }, one.outcome),
          ` ${one.receiver} (${one.format}) hears “${one.transition.replaceAll("_", " ")}”`,
          h(
            "span",
            { class: "quiet" },
            [
              one.attempt > 1 && `, attempt ${one.attempt}`,
              one.http_status && `, HTTP ${one.http_status}`,
              `, ${formatCount(one.duration_ms)} ms`,
              one.error && `: ${one.error}`,
            ].filter(Boolean).join(""),
          ),
        ),
      )
    ),
  );
}
