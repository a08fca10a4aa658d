// @ts-check
/** Short messages at the foot of the screen, read out by screen readers. */

import { h } from "./dom.js";

const SHOWN_MS = 6000;

/** @type {HTMLElement | null} */
let shelf = null;

/**
 * @param {string} text
 * @param {{kind?: "info" | "good" | "bad"}} [options]
 */
export function toast(text, { kind = "info" } = {}) {
  shelf ??= document.body.appendChild(
    h("div", { class: "toasts", popover: "manual", role: "status", "aria-live": "polite" }),
  );
  const message = h("div", { class: `toast toast-${kind}` }, text);
  shelf.append(message);
  // Shown anew, it stands above a dialog that was opened since.
  if (shelf.matches(":popover-open")) shelf.hidePopover();
  shelf.showPopover();
  setTimeout(() => {
    message.remove();
    if (shelf?.childElementCount === 0) shelf.hidePopover();
  }, SHOWN_MS);
}
