// @ts-check
/** A panel at the side with the details of one thing, while the page behind stays usable. */

import { freshId, h, icon, refill, replace } from "./dom.js";

/** @import { Child } from "./dom.js" */

/** @type {(() => void) | null} */
let closeOpen = null;

/**
 * Open the panel; one that is open already gives way.
 * @param {{title: string, body: Child | Child[], onClose?: () => void}} options
 */
export function openSidePanel({ title, body, onClose }) {
  closeOpen?.();
  const id = freshId("panel");
  const before = document.activeElement;
  const heading = h("h2", { id, tabindex: "-1" }, title);
  const content = h("div", { class: "side-panel-body" }, body);
  const panel = h(
    "div",
    { class: "side-panel", role: "dialog", "aria-labelledby": id },
    h(
      "div",
      { class: "dialog-head" },
      heading,
      h(
        "button",
        { class: "button button-quiet button-icon", "aria-label": "Close", on: { click: close } },
        icon("close"),
      ),
    ),
    content,
  );
  panel.addEventListener("keydown", (event) => event.key === "Escape" && close());
  let isOpen = true;
  function close() {
    if (!isOpen) return;
    isOpen = false;
    closeOpen = null;
    panel.remove();
    onClose?.();
    if (before instanceof HTMLElement && before.isConnected) before.focus();
  }
  closeOpen = close;
  document.body.append(panel);
  heading.focus();
  return {
    element: panel,
    close,
    /** @param {...(Child | Child[])} children */
    setBody: (...children) => refill(content, ...children),
    /** @param {string} text */
    setTitle: (text) => replace(heading, text),
  };
}
