// @ts-check
/** What changed since the span before: which values of which dimensions made the difference. */

/** @import { App } from "../app.js" */
/** @import { Filter } from "../types.js" */

import { h, refill } from "../components/dom.js";
import { formatValue } from "../format.js";
import { select } from "../components/select.js";
import { withFilter, writeFilter } from "../shell/filters.js";
import { createPart } from "./part.js";

/**
 * @typedef {object} Change
 * @property {string} dimension
 * @property {string} value
 * @property {number} now
 * @property {number} before
 * @property {number} difference
 * @property {number|null} share_of_difference
 */

/** @typedef {{measure: string | {name: string}, total: number, previous_total: number, changes: Change[]}} ChangesAnswer */

const MEASURES = [
  { value: "cost_usd", label: "Spend" },
  { value: "requests", label: "Requests" },
  { value: "failures", label: "Failures" },
  { value: "total_tokens", label: "Tokens" },
];

const SHOWN = 8;

/** What everything new is listed by: each dimension alone would add up to all of it. */
const NEW_BY = ["model"];

/** A value is worth telling if so much of its difference is not the course of the whole. */
const OWN_SHARE = 0.25;

/**
 * @param {App} app
 * @param {() => void} onRetry
 */
export function changesPart(app, onRetry) {
  const chooser = select({
    label: "Measure of the changes",
    isLabelHidden: true,
    options: MEASURES,
    value: changesMeasure(app),
    onChange: (value) => app.state.set({ changes: value === MEASURES[0].value ? null : value }),
  });
  const part = createPart({
    title: "What changed",
    definition:
      "Values that went another way than the whole, by their difference to the span of the same " +
      "length before, the largest first. " +
      "Values of different dimensions overlap: they look at the same requests from several sides.",
    actions: [chooser.element],
    onRetry,
  });
  return {
    element: part.element,
    /** @param {Promise<ChangesAnswer>} answer */
    load: (answer) => part.load(answer, (body) => refill(part.content, content(app, body))),
  };
}

/**
 * @param {App} app
 * @returns {string}
 */
export function changesMeasure(app) {
  const asked = app.state.get("changes");
  return MEASURES.some((measure) => measure.value === asked) ? asked : MEASURES[0].value;
}

/**
 * @param {App} app
 * @param {ChangesAnswer} body
 * @returns {Node[]}
 */
function content(app, body) {
  const measure = typeof body.measure === "string" ? body.measure : body.measure.name;
  const { unit } = app.measure(measure);
  const total = Number(body.total);
  const before = Number(body.previous_total);
  const changes = telling(body.changes, total, before);
  if (changes.length === 0) {
    return [h("p", { class: "quiet" }, "Nothing differs from the span before.")];
  }
  const largest = Math.abs(Number(changes[0].difference));
  return [
    h(
      "p",
      { class: "changes-total" },
      h("span", { class: "num" }, formatValue(before, unit)),
      " before, ",
      h("strong", { class: "num" }, formatValue(total, unit)),
      " now: ",
      h("strong", { class: "num" }, signed(total - before, unit)),
    ),
    h(
      "ul",
      { class: "changes" },
      ...changes.map((change) => row(app, measure, change, largest)),
    ),
  ];
}

/**
 * @param {App} app
 * @param {string} measure
 * @param {Change} change
 * @param {number} largest
 * @returns {Node}
 */
function row(app, measure, change, largest) {
  const { unit, higher_is_worse: higherIsWorse } = app.measure(measure);
  const difference = Number(change.difference);
  const bar = h("span", {
    class: `changes-bar changes-${judged(difference, higherIsWorse)}`,
    "aria-hidden": "true",
  });
  bar.style.width = `${Math.max(2, Math.abs(difference) / largest * 100)}%`;
  return h(
    "li",
    { class: "changes-row" },
    h(
      "a",
      { class: "changes-name", href: target(app, measure, change) },
      h("span", { class: "quiet" }, `${app.dimensionLabel(change.dimension)} `),
      change.value || "(none)",
    ),
    h("span", { class: "changes-track" }, bar),
    h(
      "span",
      {
        class: "num changes-amount",
        title: `${formatValue(Number(change.before), unit)} before, ${
          formatValue(Number(change.now), unit)
        } now`,
      },
      signed(difference, unit),
    ),
  );
}

/**
 * @param {App} app
 * @param {string} measure
 * @param {Change} change
 * @returns {string}
 */
function target(app, measure, change) {
  const page = measure === "cost_usd" ? "cost" : measure === "failures" ? "logs" : "analytics";
  const filters = withFilter(app.state.filters, {
    dimension: change.dimension,
    match: "=",
    values: [change.value],
  });
  const failed =
    /** @type {Filter} */ ({ dimension: "status_class", match: "!=", values: ["2xx"] });
  const kept = measure === "failures" ? withFilter(filters, failed) : filters;
  return app.href(page, { filter: kept.map(writeFilter) });
}

/**
 * @param {number} difference
 * @param {string} unit
 * @returns {string}
 */
function signed(difference, unit) {
  const text = formatValue(Math.abs(difference), unit);
  if (difference === 0) return text;
  return `${difference > 0 ? "+" : "−"}${text}`;
}

/**
 * @param {number} difference
 * @param {boolean | null} higherIsWorse
 * @returns {"better" | "worse" | "neutral"}
 */
function judged(difference, higherIsWorse) {
  if (higherIsWorse === null) return "neutral";
  return (difference > 0) === higherIsWorse ? "worse" : "better";
}

/**
 * The largest differences, without those that only follow the whole: where everything grew by half,
 * a value that grew by half explains nothing.
 * @param {Change[]} changes
 * @param {number} total
 * @param {number} before
 * @returns {Change[]}
 */
export function telling(changes, total, before) {
  if (before === 0) {
    return byDifference(changes.filter((change) => NEW_BY.includes(change.dimension)));
  }
  const course = before > 0 ? (total - before) / before : 0;
  const own = changes.filter(({ difference, before: was }) =>
    Math.abs(difference - was * course) > OWN_SHARE * Math.abs(difference)
  );
  return byDifference(own.length > 0 ? own : changes);
}

/**
 * @param {Change[]} changes
 * @returns {Change[]}
 */
function byDifference(changes) {
  return changes
    .filter(({ difference }) => difference !== 0)
    .toSorted((a, b) => Math.abs(b.difference) - Math.abs(a.difference))
    .slice(0, SHOWN);
}
