// @ts-check
/** What a place shows that has nothing to show: loading, empty, or an error with a way out. */

import { h, icon } from "./dom.js";

/** @typedef {{label: string, href?: string, onClick?: () => void}} StateAction */

/**
 * @param {StateAction} action
 */
function button({ label, href, onClick }) {
  return href
    ? h("a", { class: "button", href }, label)
    : h("button", { class: "button", type: "button", on: { click: onClick } }, label);
}

/**
 * Say why there is nothing, and what to try.
 * @param {{title: string, text?: string, actions?: StateAction[]}} options
 */
export function emptyState({ title, text = "", actions = [] }) {
  return h(
    "div",
    { class: "state" },
    icon("search"),
    h("p", { class: "state-title" }, title),
    text && h("p", { class: "quiet" }, text),
    actions.length > 0 && h("div", { class: "row row-centered" }, actions.map(button)),
  );
}

/** @type {Record<number, string>} */
const HINTS = {
  0: "The console tries again by itself.",
  403: "Ask an administrator for a token with this workspace and role.",
  404: "The link may be old, or the log no longer keeps it.",
  429: "Too many questions with this token; the console waits and asks again.",
  503:
    "The store does not answer. Nothing is lost: events wait in the broker. The console tries again by itself.",
};

/**
 * Say what went wrong, which parameter, and what to do.
 * @param {any} error
 * @param {() => void} [onRetry]
 * @param {StateAction[]} [actions]
 */
export function errorState(error, onRetry, actions = []) {
  const problems = Array.isArray(error?.problems) ? error.problems : [];
  const hint = problems.length === 0 ? HINTS[error?.status] : "";
  const { title, detail } = wordsOf(error, problems.length > 0);
  return h(
    "div",
    { class: "state state-bad", role: "alert" },
    icon("oncall"),
    h("p", { class: "state-title" }, title),
    detail && h("p", {}, detail),
    problems.length > 0 && h("ul", { class: "state-list" }, problems.map(problemItem)),
    hint && h("p", { class: "quiet" }, hint),
    h(
      "div",
      { class: "row row-centered" },
      onRetry && button({ label: "Try again", onClick: onRetry }),
      actions.map(button),
    ),
  );
}

/**
 * @param {any} error
 * @param {boolean} isListed whether what is wrong with the question follows
 */
function wordsOf(error, isListed) {
  if (isListed) return { title: "This cannot be answered as it is asked", detail: "" };
  if (error?.title) return { title: error.title, detail: error.detail };
  return {
    title: "Something went wrong in the console",
    detail: String(error?.message ?? error),
  };
}

/** @param {{parameter: string, reason: string, remedy: string}} problem */
function problemItem({ parameter, reason, remedy }) {
  return h(
    "li",
    {},
    parameter && h("code", {}, parameter),
    parameter ? `: ${reason}` : reason,
    remedy && h("span", { class: "quiet" }, `; ${remedy}`),
  );
}

/**
 * Grey shapes of what is to come, so that nothing jumps when it does.
 * @param {"tiles" | "chart" | "table"} kind
 */
export function skeleton(kind) {
  const count = kind === "tiles" ? 4 : kind === "table" ? 6 : 1;
  return h(
    "div",
    { class: `skeleton skeleton-${kind}`, role: "status", "aria-label": "Loading" },
    Array.from({ length: count }, () => h("div", { class: "skeleton-part" })),
  );
}
