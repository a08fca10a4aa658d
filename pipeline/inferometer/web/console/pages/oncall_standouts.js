// @ts-check
/** What stands out behind an incident: values that hold much of the trouble and little of the traffic. */

/** @import { App } from "../app.js" */
/** @import { Behind, Standout } from "./oncall_incident.js" */

import { h } from "../components/dom.js";
import { formatSpan_s, formatUsd } from "../format.js";
import { logsHref, roughRatio } from "./incident_words.js";

const STANDOUTS_SHOWN = 5;

/**
 * What differs from the span before and from everything else, narrowest first.
 * @param {App} app
 * @param {Behind} behind
 */
export function standouts(app, behind) {
  const names = behind.examined.map((name) => app.dimensionLabel(name).toLowerCase()).join(", ");
  if (behind.stands_out.length === 0) {
    return h(
      "section",
      { class: "night-part", "aria-label": "What stands out" },
      h("h3", {}, "What stands out"),
      h(
        "p",
        {},
        behind.examined.length > 0
          ? "Nothing: it is the same everywhere."
          : "Could not be looked at.",
      ),
      names && h("p", { class: "quiet" }, `Compared by ${names}.`),
    );
  }
  return h(
    "section",
    { class: "night-part", "aria-label": "What stands out" },
    h("h3", {}, "What stands out"),
    h(
      "ol",
      { class: "night-standouts" },
      behind.stands_out.slice(0, STANDOUTS_SHOWN).map((one) => standout(app, behind, one)),
    ),
    h(
      "p",
      { class: "quiet" },
      behind.before
        ? `Against ${formatSpan_s(spanOf_s(behind.before))} before it began. Compared by ${names}.`
        : `There is no healthy span before, so against the rest. Compared by ${names}.`,
    ),
  );
}

/** @param {{from: string, to: string}} span */
function spanOf_s(span) {
  return (Date.parse(span.to) - Date.parse(span.from)) / 1000;
}

/**
 * @param {App} app
 * @param {Behind} behind
 * @param {Standout} one
 */
function standout(app, behind, one) {
  const filter = {
    dimension: one.dimension,
    match: /** @type {const} */ ("="),
    values: [one.value],
  };
  const href = logsHref(app, {
    ...behind.during,
    filters: [...behind.filters, filter],
    statuses: behind.bad_classes,
  });
  const bar = h("span", { class: "night-bar", "aria-hidden": "true" }, h("span", {}));
  const fill = /** @type {HTMLElement} */ (bar.firstElementChild);
  fill.style.width = `${one.share_of_excess * 100}%`;
  return h(
    "li",
    {},
    h(
      "a",
      { href, class: "night-standout" },
      h("span", { class: "quiet" }, app.dimensionLabel(one.dimension)),
      h("strong", {}, one.value),
    ),
    bar,
    h("p", {}, standoutText(behind, one)),
  );
}

/**
 * @param {Behind} behind
 * @param {Standout} one
 */
function standoutText(behind, one) {
  const share = `${roughRatio(one.share_of_excess)} of the ${
    behind.about === "cost" ? "rise" : "trouble"
  }`;
  if (behind.about === "cost") {
    return `${share}: ${formatUsd(one.bad)} instead of ${formatUsd(one.total)}`;
  }
  const bad = behind.about === "slow" ? "slow" : "failing";
  return `${share}, with ${roughRatio(one.share_of_total)} of the traffic; ${
    roughRatio(one.bad_ratio)
  } ${bad} here, ${roughRatio(one.rest_bad_ratio)} elsewhere`;
}
