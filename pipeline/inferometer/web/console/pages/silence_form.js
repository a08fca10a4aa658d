// @ts-check
/** Makes a silence: matchers, filled in from an incident where there is one, how long, and why. */

/** @import { App } from "../app.js" */
/** @import { Incident } from "./incident_words.js" */

import { openDialog } from "../components/dialog.js";
import { freshId, h, replace } from "../components/dom.js";
import { segmented } from "../components/select.js";
import { matchersOf } from "./incident_words.js";

/** @typedef {{name: string, value: string, isRegex: boolean, isEqual: boolean}} Matcher */

/** In hours. */
const LENGTHS = [
  { label: "1 h", value: "1" },
  { label: "4 h", value: "4" },
  { label: "12 h", value: "12" },
  { label: "1 d", value: "24" },
  { label: "7 d", value: "168" },
];
const HOUR_MS = 3_600_000;
const SIGNS = ["=", "!=", "=~", "!~"];

/**
 * @param {App} app
 * @param {Incident | null} incident
 * @param {() => void} onDone
 */
export function openSilenceForm(app, incident, onDone) {
  const lines = matcherLines(
    incident ? matchersOf(incident) : [{ name: "", value: "", isRegex: false, isEqual: true }],
  );
  const length = lengthChoice();
  const commentId = freshId("comment");
  const comment = /** @type {HTMLInputElement} */ (h("input", {
    id: commentId,
    type: "text",
    class: "input",
    maxlength: "1000",
    placeholder: "Why, and who looks into it",
  }));
  const problems = h("div", { class: "silence-problems", role: "alert" });
  const body = h(
    "form",
    { class: "stack silence-form", on: { submit: (/** @type {Event} */ e) => e.preventDefault() } },
    h(
      "p",
      { class: "quiet" },
      "Notices that meet every line are kept back; the incident stays visible here, and that it was resolved is told nevertheless.",
    ),
    h(
      "fieldset",
      { class: "silence-matchers" },
      h("legend", {}, "Keep back notices where"),
      lines.element,
      lines.more,
    ),
    h(
      "div",
      { class: "silence-length" },
      h("span", { "aria-hidden": "true" }, "For"),
      length.element,
    ),
    h(
      "div",
      { class: "field silence-comment" },
      h("label", { for: commentId }, "Comment"),
      comment,
    ),
    problems,
  );
  openDialog({
    title: incident ? `Silence ${incident.slo}` : "New silence",
    body,
    actions: [{ label: "Cancel" }, { label: "Silence", kind: "primary", onClick: send }],
  });

  /** @param {() => void} close */
  async function send(close) {
    const now_ms = Date.now();
    try {
      await app.api.post("/silences", {
        matchers: lines.read(),
        startsAt: new Date(now_ms).toISOString(),
        endsAt: new Date(now_ms + length.hours() * HOUR_MS).toISOString(),
        comment: comment.value.trim(),
      });
    } catch (error) {
      replace(problems, problemList(error));
      return;
    }
    close();
    app.toast("Silenced", { kind: "good" });
    onDone();
  }
}

/** @param {any} error */
function problemList(error) {
  const found = error?.problems?.length > 0
    ? error.problems.map((/** @type {any} */ one) => one.reason)
    : [error?.detail || error?.title || String(error)];
  return h("ul", {}, found.map((/** @type {string} */ text) => h("li", {}, text)));
}

function lengthChoice() {
  let hours = LENGTHS[0].value;
  const choice = segmented({
    label: "How long",
    options: LENGTHS,
    value: hours,
    onChange: (value) => hours = value,
  });
  return { element: choice.element, hours: () => Number(hours) };
}

/** @param {Matcher[]} given */
function matcherLines(given) {
  const element = h("div", { class: "stack" });
  const more = h(
    "button",
    {
      class: "button button-quiet",
      type: "button",
      on: { click: () => add(emptyMatcher(), true) },
    },
    "Add a line",
  );
  for (const matcher of given) add(matcher, false);

  /**
   * @param {Matcher} matcher
   * @param {boolean} hasFocus
   */
  function add(matcher, hasFocus) {
    const line = matcherLine(matcher, () => line.element.remove());
    /** @type {any} */ (line.element).read = line.read;
    element.append(line.element);
    if (hasFocus) line.element.querySelector("input")?.focus();
  }
  return {
    element,
    more,
    /** @returns {Matcher[]} */
    read: () =>
      [...element.children].map((line) => /** @type {any} */ (line).read())
        .filter((/** @type {Matcher} */ one) => one.name || one.value),
  };
}

function emptyMatcher() {
  return { name: "", value: "", isRegex: false, isEqual: true };
}

/**
 * @param {Matcher} matcher
 * @param {() => void} onRemove
 */
function matcherLine(matcher, onRemove) {
  const name = input("Label", matcher.name);
  const value = input("Value", matcher.value);
  const chosen = `${
    matcher.isEqual ? (matcher.isRegex ? "=~" : "=") : matcher.isRegex ? "!~" : "!="
  }`;
  const sign = h(
    "select",
    { "aria-label": "Comparison", class: "select" },
    SIGNS.map((one) => h("option", { value: one, selected: one === chosen }, one)),
  );
  const remove = h(
    "button",
    {
      class: "button button-quiet",
      type: "button",
      "aria-label": `Remove the line ${matcher.name}`,
      on: { click: onRemove },
    },
    "Remove",
  );
  return {
    element: h("div", { class: "silence-line" }, name, sign, value, remove),
    read: () => ({
      name: name.value.trim(),
      value: value.value,
      isRegex: sign.value.endsWith("~"),
      isEqual: sign.value.startsWith("="),
    }),
  };
}

/**
 * @param {string} label
 * @param {string} value
 */
function input(label, value) {
  return /** @type {HTMLInputElement} */ (h("input", {
    type: "text",
    class: "input mono",
    "aria-label": label,
    value,
    placeholder: label.toLowerCase(),
    autocomplete: "off",
    spellcheck: "false",
  }));
}
