// @ts-check
/** A panel under its button: closed by Esc or a click elsewhere, never outside the window. */

import { freshId, h } from "./dom.js";

const GAP_PX = 6;

/**
 * @param {HTMLButtonElement} button
 * @param {{label: string, class?: string, onOpen?: (panel: HTMLElement) => void}} options
 * @returns {{panel: HTMLElement, open: () => void, close: () => void}}
 */
export function popover(button, { label, class: className = "", onOpen }) {
  const panel = h("div", {
    id: freshId("popover"),
    class: `popover ${className}`,
    popover: "auto",
    role: "dialog",
    "aria-label": label,
  });
  button.setAttribute("aria-haspopup", "dialog");
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("popovertarget", panel.id);
  button.after(panel);
  panel.addEventListener("beforetoggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState === "open") onOpen?.(panel);
  });
  panel.addEventListener("toggle", (event) => {
    const isOpen = /** @type {ToggleEvent} */ (event).newState === "open";
    button.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) return;
    place(panel, button);
    const first = panel.querySelector("[autofocus], input, select, button, a");
    if (first instanceof HTMLElement) first.focus();
  });
  return {
    panel,
    open: () => panel.showPopover(),
    close: () => panel.hidePopover(),
  };
}

/**
 * @param {HTMLElement} panel
 * @param {HTMLElement} button
 */
function place(panel, button) {
  const at = button.getBoundingClientRect();
  const width = panel.offsetWidth;
  const room = document.documentElement.clientWidth;
  const left = Math.max(8, Math.min(at.left, room - width - 8));
  const below = at.bottom + GAP_PX;
  panel.style.left = `${left}px`;
  panel.style.top = `${below}px`;
  panel.style.maxHeight = `${Math.max(200, innerHeight - below - 12)}px`;
}
