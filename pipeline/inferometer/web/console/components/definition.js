// @ts-check
/** A word with its definition: shown on hover, on focus and on touch, read by screen readers. */

import { UNIT_WORDS } from "../format.js";
import { freshId, h } from "./dom.js";

/** @type {HTMLElement | null} */
let bubble = null;

/**
 * @param {HTMLElement} anchor
 * @param {string} text
 */
function show(anchor, text) {
  bubble ??= document.body.appendChild(h("div", { class: "bubble", role: "tooltip" }));
  bubble.textContent = text;
  bubble.hidden = false;
  const at = anchor.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left, innerWidth - bubble.offsetWidth - 8));
  const isBelow = at.top < bubble.offsetHeight + 12;
  bubble.style.left = `${left}px`;
  bubble.style.top = `${isBelow ? at.bottom + 6 : at.top - bubble.offsetHeight - 6}px`;
}

/** Of a word that has left the page nobody tells that the pointer has, so a new page hides it too. */
export function hideDefinition() {
  if (bubble) bubble.hidden = true;
}

/**
 * @param {string} label
 * @param {string} [definition]
 * @param {string} [unit]
 * @returns {HTMLElement}
 */
export function term(label, definition = "", unit = "") {
  if (!definition) return h("span", {}, label);
  const text = unit && UNIT_WORDS[unit] ? `${definition} Unit: ${UNIT_WORDS[unit]}.` : definition;
  const id = freshId("definition");
  const word = h(
    "span",
    { class: "term", tabindex: "0", role: "note", "aria-describedby": id },
    label,
  );
  const open = () => show(word, text);
  word.addEventListener("pointerenter", open);
  word.addEventListener("pointerleave", hideDefinition);
  word.addEventListener("focus", open);
  word.addEventListener("blur", hideDefinition);
  word.addEventListener("keydown", (event) => event.key === "Escape" && hideDefinition());
  return h("span", { class: "term-box" }, word, h("span", { id, class: "sr-only" }, text));
}
