// @ts-check
/** Which columns the log shows beside its seven. */

/** @import { App } from "../app.js" */

import { h, icon, replace } from "../components/dom.js";
import { popover } from "../components/popover.js";
import { MORE_COLUMNS } from "./log_table.js";

/**
 * The keys of the further columns that the URL asks for, in the order of the table.
 * @param {App} app
 * @returns {string[]}
 */
export function moreColumns(app) {
  const asked = app.state.all("columns");
  return MORE_COLUMNS.map((column) => column.key).filter((key) => asked.includes(key));
}

/**
 * @param {App} app
 * @returns {HTMLElement}
 */
export function columnMenu(app) {
  const button = h("button", { class: "button", type: "button" }, icon("table"), "Columns");
  const element = h("span", {}, button);
  popover(button, {
    label: "Further columns",
    onOpen: (panel) =>
      replace(
        panel,
        h("p", { class: "quiet" }, "Beside the usual seven"),
        MORE_COLUMNS.map((column) => choice(app, column)),
      ),
  });
  return element;
}

/**
 * @param {App} app
 * @param {{key: string, label: string}} column
 * @returns {HTMLElement}
 */
function choice(app, { key, label }) {
  const box = h("input", {
    type: "checkbox",
    checked: moreColumns(app).includes(key),
    on: {
      change: () => {
        const others = moreColumns(app).filter((one) => one !== key);
        app.state.set({ columns: box.checked ? [...others, key] : others }, { replace: true });
      },
    },
  });
  return h("label", { class: "check" }, box, h("span", { class: "check-label" }, label));
}
