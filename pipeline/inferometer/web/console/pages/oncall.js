// @ts-check
/** On call: one screen for somebody who was just woken. Large, dark where the reader's eyes are. */

/** @import { App } from "../app.js" */
/** @import { Page, Question } from "../types.js" */
/** @import { NightIncident } from "./oncall_incident.js" */
/** @import { Incident } from "./incident_words.js" */

import { h, icon, keepFocus, refill, replace } from "../components/dom.js";
import { card } from "../components/card.js";
import { formatInstant, formatRatio, formatSpan_s } from "../format.js";
import {
  groupText,
  lengthOf_s,
  sentence,
  severityBadge,
  sinceText,
  startOf,
} from "./incident_words.js";
import { nightIncident } from "./oncall_incident.js";
import { vitals, vitalsQuestions } from "./oncall_vitals.js";

/**
 * @typedef {object} NightAnswer
 * @property {string} as_of
 * @property {"page" | "ticket" | "silenced" | "unknown" | "quiet"} state
 * @property {boolean} is_configured
 * @property {string} reason
 * @property {string[]} problems
 * @property {{watermark: string | null, lag_s: number | null, is_stale: boolean}} freshness
 * @property {NightIncident[]} incidents
 * @property {Incident[]} resolved
 * @property {{groups: number, states: Record<string, number>, least_budget_left: number | null}}
 *   objectives
 */

/** What the server looks into; the rest is listed, since an outage fires for every group. */
const IN_FULL = 3;

/** @type {Page} */
export const page = {
  name: "oncall",
  title: "On call",
  controls: { range: false, refresh: true, filters: [] },
  first: (app) => [question(app), ...vitalsQuestions(app)],
  create(root, app) {
    const view = new NightView(root, app);
    return { refresh: (signal) => view.refresh(signal), destroy: () => {} };
  },
};

/**
 * @param {App} app
 * @returns {Question}
 */
function question(app) {
  return ["/oncall", { workspace: app.state.workspace, time_zone: app.zone }];
}

class NightView {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    this.banner = h("div", { class: "night-banner", role: "status", "aria-live": "polite" });
    this.incidents = h("div", { class: "night-incidents" });
    this.more = card({ title: "And more" });
    this.more.element.hidden = true;
    this.vitals = vitals(app);
    this.ended = card({
      title: "Ended in the last day",
      definition: "Incidents that resolved; one that keeps coming back shows here first.",
    });
    /** @type {Map<string, {element: HTMLElement, key: string}>} */
    this.drawn = new Map();
    root.classList.add("night");
    root.append(
      this.banner,
      this.incidents,
      this.more.element,
      this.vitals.element,
      this.ended.element,
    );
  }

  /** @param {AbortSignal} signal */
  async refresh(signal) {
    // The signs of life must not keep back what is broken.
    const signs = this.vitals.refresh(signal);
    this.#draw(await this.app.api.get(...question(this.app), { signal }));
    await signs;
  }

  /** @param {NightAnswer} answer */
  #draw(answer) {
    this.banner.className = `night-banner night-${answer.state}`;
    const words = bannerWords(answer, this.app);
    // Screen readers say the banner again whenever it changes, so it changes only with its words.
    const key = JSON.stringify(words);
    if (this.banner.dataset.key !== key) {
      this.banner.dataset.key = key;
      replace(
        this.banner,
        icon(words.icon),
        h(
          "div",
          {},
          h("p", { class: "night-state" }, words.title),
          words.lines.map((text) => h("p", {}, text)),
        ),
      );
    }
    this.#drawIncidents(answer);
    this.ended.element.hidden = answer.resolved.length === 0;
    refill(
      this.ended.body,
      h("ul", { class: "night-ended" }, answer.resolved.map((one) => endedLine(this.app, one))),
    );
  }

  /** @param {NightAnswer} answer */
  #drawIncidents(answer) {
    const kept = new Map();
    const elements = answer.incidents.slice(0, IN_FULL).map((incident, at) => {
      const minute = Math.floor(incident.age_s / 60);
      const key = JSON.stringify([{ ...incident, age_s: minute }, at === 0]);
      const before = this.drawn.get(incident.incident_id);
      const found = before?.key === key ? before : {
        key,
        element: nightIncident(this.app, incident, {
          isOpen: before ? isUnfolded(before.element) : at === 0,
          onChange: () => void this.app.refresh(),
        }),
      };
      kept.set(incident.incident_id, found);
      return found.element;
    });
    this.drawn = kept;
    const rest = answer.incidents.slice(IN_FULL);
    this.more.element.hidden = rest.length === 0;
    this.more.setTitle(`And ${rest.length} more`);
    refill(
      this.more.body,
      h("ul", { class: "night-ended" }, rest.map((one) => openLine(this.app, one))),
    );
    const shown = [...this.incidents.children];
    if (elements.length !== shown.length || elements.some((one, at) => one !== shown[at])) {
      keepFocus(this.incidents, () => replace(this.incidents, elements));
    }
  }
}

/** @param {HTMLElement} element */
function isUnfolded(element) {
  return element instanceof HTMLDetailsElement && element.open;
}

/**
 * @param {NightAnswer} answer
 * @param {App} app
 * @returns {{icon: string, title: string, lines: string[]}}
 */
function bannerWords(answer, app) {
  const { freshness, objectives } = answer;
  const broken = answer.incidents.filter((one) => one.silenced_by.length === 0);
  const muted = answer.incidents.length - broken.length;
  const data = freshness.watermark
    ? `Data is complete to ${formatInstant(freshness.watermark, app.zone, { seconds: false })}${
      freshness.is_stale ? `, ${formatSpan_s(freshness.lag_s)} ago: it has stopped or lags` : ""
    }.`
    : "No data has arrived yet.";
  const mutedLine = muted > 0 ? `${muted} more ${muted === 1 ? "is" : "are"} silenced.` : "";
  const lines = (/** @type {string[]} */ ...texts) =>
    [...texts, ...answer.problems].filter((text) => text !== "");
  switch (answer.state) {
    case "page":
    case "ticket":
      return {
        icon: "oncall",
        title: broken.length === 1 ? "1 thing is broken" : `${broken.length} things are broken`,
        lines: lines(freshness.is_stale ? data : "", mutedLine),
      };
    case "silenced":
      return {
        icon: "alerts",
        title: muted === 1
          ? "1 thing is broken, and silenced"
          : `${muted} things are broken, all silenced`,
        lines: lines("Nobody is told until the silences end.", data),
      };
    case "unknown":
      return {
        icon: "oncall",
        title: "Nobody can say that all is well",
        lines: lines(
          answer.is_configured ? "" : `No objectives are evaluated. ${sentence(answer.reason)}`,
          data,
        ),
      };
    default:
      return {
        icon: "check",
        title: "All clear",
        lines: lines(watchedText(objectives), data, lastText(answer, app)),
      };
  }
}

/** @param {NightAnswer["objectives"]} objectives */
function watchedText({ groups, least_budget_left }) {
  const least = least_budget_left === null
    ? ""
    : `; the least budget left is ${formatRatio(least_budget_left)}`;
  return groups > 0
    ? `${groups} ${groups === 1 ? "objective is" : "objectives are"} watched${least}.`
    : "";
}

/**
 * @param {NightAnswer} answer
 * @param {App} app
 */
function lastText({ resolved }, app) {
  const last = resolved[0];
  return last?.resolved_at
    ? `The last incident, ${last.slo}, ended at ${
      formatInstant(last.resolved_at, app.zone, { seconds: false })
    }.`
    : "No incident in the last day.";
}

/**
 * @param {App} app
 * @param {Incident} one
 */
function openLine(app, one) {
  return h(
    "li",
    {},
    severityBadge(one),
    incidentLink(app, one),
    h("span", { class: "quiet" }, `since ${sinceText(startOf(one), app)}`),
  );
}

/**
 * @param {App} app
 * @param {Incident} one
 */
function incidentLink(app, one) {
  return h(
    "a",
    { href: app.href("alerts", { incident: one.incident_id }, { keepFilters: false }) },
    [one.slo, groupText(one.labels, app)].filter(Boolean).join(" · "),
  );
}

/**
 * @param {App} app
 * @param {Incident} one
 */
function endedLine(app, one) {
  return h(
    "li",
    {},
    incidentLink(app, one),
    h(
      "span",
      { class: "quiet" },
      `${one.severity}, ${formatInstant(startOf(one), app.zone, { seconds: false })}, lasted ${
        formatSpan_s(lengthOf_s(one))
      }`,
    ),
  );
}
