// @ts-check
/** JSON as a person reads it: indented, with names and texts told apart by colour. */

import { h } from "../components/dom.js";

const TOKEN =
  /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * @param {unknown} value
 * @returns {HTMLElement}
 */
export function jsonView(value) {
  const text = JSON.stringify(value, null, 2);
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    pieces.push(text.slice(end, match.index), ...token(match));
    end = match.index + match[0].length;
  }
  pieces.push(text.slice(end));
  return h("pre", { class: "json-view mono", tabindex: "0", "aria-label": "JSON" }, pieces);
}

/**
 * @param {RegExpMatchArray} match
 * @returns {(Node | string)[]}
 */
function token(match) {
  const [whole, text, colon] = match;
  if (colon !== undefined) return [h("span", { class: "json-name" }, text), colon];
  return [h("span", { class: text === undefined ? "json-number" : "json-text" }, whole)];
}
