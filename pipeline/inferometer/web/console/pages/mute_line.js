// @ts-check
/** A line of a list of silences or maintenance windows. */

import { h } from "../components/dom.js";
import { matcherText } from "./incident_words.js";

/**
 * @param {any[]} matchers
 * @param {any[]} words what is said of it; what is empty is left out
 * @param {any[]} more its state, and what can be done
 * @returns {HTMLElement}
 */
export function muteLine(matchers, words, ...more) {
  return h(
    "li",
    { class: "silence" },
    h(
      "div",
      { class: "stack" },
      h(
        "div",
        { class: "row" },
        matchers.map((each) => h("code", { class: "mono silence-matcher" }, matcherText(each))),
      ),
      h("span", { class: "quiet" }, words.filter(Boolean).join(" · ")),
    ),
    more,
  );
}
