// @ts-check
/** Whether a price is for a model: rules that are data, as the price book writes them. */

/** @typedef {Record<string, any>} Rule one key: how it compares; its value: with what */

/** @type {Record<string, (name: string, text: string) => boolean>} */
const COMPARISONS = {
  equals: (name, text) => name === text,
  starts_with: (name, text) => name.startsWith(text),
  ends_with: (name, text) => name.endsWith(text),
  contains: (name, text) => name.includes(text),
  regex: (name, text) => isFound(name, text),
  model: (name, text) => isFound(name, `^${text.split("*").map(escaped).join(".*")}$`),
};

/**
 * @param {{model: string, model_match: string}} price
 * @param {string} model
 * @returns {boolean}
 */
export function isPriceOf(price, model) {
  const name = model.toLowerCase();
  if (price.model.toLowerCase() === name) return true;
  if (price.model_match === "") return false;
  try {
    return holds(JSON.parse(price.model_match), name);
  } catch {
    return false;
  }
}

/**
 * @param {Rule} rule
 * @param {string} name lower-cased
 * @returns {boolean}
 */
function holds(rule, name) {
  const [[kind, value]] = Object.entries(rule);
  if (kind === "or") return value.some((/** @type {Rule} */ part) => holds(part, name));
  if (kind === "and") return value.every((/** @type {Rule} */ part) => holds(part, name));
  return COMPARISONS[kind]?.(name, String(value).toLowerCase()) ?? false;
}

/**
 * @param {string} name
 * @param {string} pattern
 * @returns {boolean}
 */
function isFound(name, pattern) {
  return new RegExp(pattern).test(name);
}

/**
 * @param {string} text
 * @returns {string}
 */
function escaped(text) {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
