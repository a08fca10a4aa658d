// @ts-check
/** Filters as the query API writes them: `model=a,b`, `model!=a`, `user_id^=team-`. */

/** @import { Filter } from "../types.js" */

/** @type {Record<string, string>} */
export const MATCH_WORDS = { "=": "is", "!=": "is not", "^=": "starts with" };

/**
 * @param {Filter} filter
 * @returns {string}
 */
export function writeFilter({ dimension, match, values }) {
  const texts = values.map((value) => value.replaceAll("\\", "\\\\").replaceAll(",", "\\,"));
  return `${dimension}${match}${texts.join(",")}`;
}

/**
 * Read a filter; null for a text that is none.
 * @param {string} text
 * @returns {Filter | null}
 */
export function readFilter(text) {
  const at = text.indexOf("=");
  if (at <= 0) return null;
  const sign = text[at - 1];
  const match = sign === "!" ? "!=" : sign === "^" ? "^=" : "=";
  const dimension = text.slice(0, at - (match.length - 1));
  return dimension ? { dimension, match, values: splitValues(text.slice(at + 1)) } : null;
}

/**
 * @param {string} text
 * @returns {string[]}
 */
function splitValues(text) {
  const values = [""];
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "\\" && [",", "\\"].includes(text[at + 1])) {
      at += 1;
      values[values.length - 1] += text[at];
    } else if (text[at] === ",") {
      values.push("");
    } else {
      values[values.length - 1] += text[at];
    }
  }
  return values;
}

/**
 * Add a filter; one on the same dimension with the same match is replaced.
 * @param {Filter[]} filters
 * @param {Filter} added
 * @returns {Filter[]}
 */
export function withFilter(filters, added) {
  const others = filters.filter((one) =>
    one.dimension !== added.dimension || one.match !== added.match
  );
  return added.values.length > 0 ? [...others, added] : others;
}
