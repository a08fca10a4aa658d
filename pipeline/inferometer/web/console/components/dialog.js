// @ts-check
/** A dialog over the page: the rest is inert, Esc closes it, focus returns to where it was. */

import { freshId, h, icon } from "./dom.js";

/** @import { Child } from "./dom.js" */

/**
 * @typedef {object} DialogAction
 * @property {string} label
 * @property {"primary" | "danger"} [kind]
 * @property {(close: () => void) => void} [onClick] without it the button closes
 */

/**
 * @param {{title: string, body: Child | Child[], actions?: DialogAction[], isWide?: boolean,
 *   isFixed?: boolean, onClose?: () => void}} options
 * @returns {() => void} how to close it
 */
export function openDialog(
  { title, body, actions = [], isWide = false, isFixed = false, onClose },
) {
  const id = freshId("dialog");
  const dialog = h("dialog", {
    class: isWide ? "dialog dialog-wide" : "dialog",
    "aria-labelledby": id,
  });
  const close = () => dialog.close();
  dialog.append(
    h(
      "div",
      { class: "dialog-head" },
      h("h2", { id }, title),
      !isFixed && h(
        "button",
        { class: "button button-quiet button-icon", "aria-label": "Close", on: { click: close } },
        icon("close"),
      ),
    ),
    h("div", { class: "dialog-body" }, body),
  );
  if (actions.length > 0) {
    dialog.append(h("footer", { class: "dialog-foot" }, actions.map((one) => button(one, close))));
  }
  if (isFixed) dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("click", (event) => {
    if (!isFixed && event.target === dialog) close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    onClose?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return close;
}

/**
 * @param {DialogAction} action
 * @param {() => void} close
 */
function button({ label, kind, onClick }, close) {
  const className = kind ? `button button-${kind}` : "button";
  const click = () => onClick ? onClick(close) : close();
  return h("button", { class: className, type: "button", on: { click } }, label);
}
