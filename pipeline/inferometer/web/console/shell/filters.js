// @ts-check
/** Filters as the query API writes them: `model=a,b`, `model!=a`, `user_id^=team-`. */

/** @import { Filter } from "../types.js" */

/** @type {Record<string, string>} */
export const MATCH_WORDS = { "=": "is", "!=": "is not", "^=": "starts with" };

/**
 * Names as lists and filters have them: keys of metadata may hold what parts or ends names.
 * @param {string[]} names
 * @returns {string}
 */
export function writeNames(names) {
  return names.map((name) => name.replaceAll(/[\\,=!^]/g, "\\$&")).join(",");
}

/**
 * @param {Filter} filter
 * @returns {string}
 */
export function writeFilter({ dimension, match, values }) {
  const texts = values.map((value) => value.replaceAll("\\", "\\\\").replaceAll(",", "\\,"));
  return `${writeNames([dimension])}${match}${texts.join(",")}`;
}

/**
 * Read a filter; null for a text that is none.
 * @param {string} text
 * @returns {Filter | null}
 */
export function readFilter(text) {
  const found = /^((?:\\[\\,=!^]|\\(?![\\,=!^])|[^\\=])*?)([!^]?=)(.*)$/s.exec(text);
  if (!found?.[1]) return null;
  const [, name, match, values] = found;
  return {
    dimension: name.replaceAll(/\\([\\,=!^])/g, "$1"),
    match: /** @type {Filter["match"]} */ (match),
    values: splitValues(values),
  };
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
