// @ts-check
/** Copies texts, and says so. */

/** @import { App } from "../app.js" */

import { h } from "../components/dom.js";

/**
 * @param {App} app
 * @param {string} label
 * @param {() => string} text
 * @returns {HTMLElement}
 */
export function copyButton(app, label, text) {
  const click = async () => {
    const isCopied = await copied(text());
    app.toast(isCopied ? `${label}: done` : "The browser does not allow copying here", {
      kind: isCopied ? "good" : "bad",
    });
  };
  return h("button", { class: "button button-quiet", type: "button", on: { click } }, label);
}

/**
 * Copy a text; the clipboard proper is there on HTTPS and on the loopback only.
 * @param {string} text
 * @returns {Promise<boolean>}
 */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = /** @type {HTMLTextAreaElement} */ (
      h("textarea", { class: "sr-only", "aria-hidden": "true" })
    );
    area.value = text;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
}
