// @ts-check
/** A framed part of a page: a title with its definition, actions at the right, a body. */

import { term } from "./definition.js";
import { freshId, h, replace } from "./dom.js";

/**
 * @param {{title: string, definition?: string, unit?: string, actions?: Node[], class?: string}}
 *   options
 */
export function card({ title, definition = "", unit = "", actions = [], class: className = "" }) {
  const id = freshId("card");
  const heading = h("h2", { id, class: "card-title" }, term(title, definition, unit));
  const actionBar = h("div", { class: "row card-actions" }, actions);
  const body = h("div", { class: "card-body" });
  const element = h(
    "section",
    { class: `card ${className}`, "aria-labelledby": id },
    h("header", { class: "card-head" }, heading, actionBar),
    body,
  );
  return {
    element,
    body,
    actions: actionBar,
    /**
     * @param {string} text
     * @param {string} [newDefinition]
     * @param {string} [newUnit]
     */
    setTitle(text, newDefinition = definition, newUnit = unit) {
      if (heading.dataset.text === text) return;
      heading.dataset.text = text;
      replace(heading, term(text, newDefinition, newUnit));
    },
  };
}
