// @ts-check
/** An HTTP status as a badge: its colour is its class, its text says both. */

import { h } from "../components/dom.js";
import { STATUS_WORDS } from "../words.js";

/** @type {Record<string, string>} */
const KINDS = {
  "2xx": "badge-good",
  "4xx": "badge-warn",
  "429": "badge-warn",
  "499": "badge-warn",
};

/**
 * @param {number | string} code
 * @param {string} statusClass
 * @returns {HTMLElement}
 */
export function statusBadge(code, statusClass) {
  return h("span", {
    class: `badge num ${KINDS[statusClass] ?? "badge-bad"}`,
    title: STATUS_WORDS[statusClass] ?? statusClass,
  }, code);
}
