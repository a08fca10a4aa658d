// @ts-check
/** Keys: `/` searches, `g` and a letter opens a page, others press what is on the screen. */

import { openDialog } from "../components/dialog.js";
import { h } from "../components/dom.js";
import { hasShortcuts, isDark, setShortcuts, setTheme } from "./preferences.js";
import { PAGES } from "./router.js";
import { openSearch } from "./search.js";

const SEQUENCE_MS = 1500;

/** @type {[string, string][]} */
const WORDS = [
  ["/", "Search pages, models and requests"],
  ["t", "Time range"],
  ["f", "Filter"],
  ["r", "Refresh now"],
  ["z", "Zoom out: twice the range"],
  ["d", "Light or dark"],
  ["?", "This list"],
];

/** @param {import("../app.js").App} app */
export function startShortcuts(app) {
  let lead_at = -Infinity;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (event.key === "/" || hasShortcuts()) {
      const isSecond = event.timeStamp - lead_at < SEQUENCE_MS;
      lead_at = -Infinity;
      if (isSecond && openPage(app, event.key)) return event.preventDefault();
      if (event.key === "g") lead_at = event.timeStamp;
      else if (press(app, event.key)) event.preventDefault();
    }
  });
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (document.querySelector("dialog[open]")) return true;
  return target.isContentEditable || target.closest("input, textarea, select, [popover]") !== null;
}

/**
 * @param {import("../app.js").App} app
 * @param {string} key
 */
function openPage(app, key) {
  const page = PAGES.find((one) => one.key === key);
  if (page) app.go(app.href(page.name));
  return page !== undefined;
}

/**
 * @param {import("../app.js").App} app
 * @param {string} key
 * @returns {boolean}
 */
function press(app, key) {
  /** @type {Record<string, () => unknown>} */
  const actions = {
    "/": () => openSearch(app),
    "?": openShortcuts,
    t: () => app.layout.picker.open(),
    f: () => app.layout.filters.open(),
    r: () => app.refresh(),
    z: () => app.layout.picker.zoomOut(),
    d: () => setTheme(isDark() ? "light" : "dark"),
  };
  actions[key]?.();
  return key in actions;
}

export function openShortcuts() {
  const pages = PAGES.map((
    { key, title },
  ) => /** @type {[string, string]} */ ([`g ${key}`, title]));
  const box = h("input", {
    type: "checkbox",
    checked: hasShortcuts(),
    on: { change: () => setShortcuts(box.checked) },
  });
  openDialog({
    title: "Keyboard shortcuts",
    body: h(
      "div",
      { class: "stack" },
      h(
        "dl",
        { class: "shortcut-list" },
        [...WORDS, ...pages].map(([keys, words]) =>
          h(
            "div",
            {},
            h("dt", {}, keys.split(" ").map((key) => h("kbd", {}, key))),
            h("dd", {}, words),
          )
        ),
      ),
      h("label", { class: "check" }, box, "Single keys are shortcuts"),
    ),
  });
}
