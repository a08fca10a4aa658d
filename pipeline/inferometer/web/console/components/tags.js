// @ts-check
/** Active filters as tags, each with a button that takes it away. */

import { MATCH_WORDS } from "../shell/filters.js";
import { h, icon, refill } from "./dom.js";

/** @import { Filter } from "../types.js" */

const SHOWN_VALUES = 3;

/**
 * @param {{label: (dimension: string) => string, onChange: (filters: Filter[]) => void,
 *   onEdit?: (filter: Filter) => void}} options
 */
export function tags({ label, onChange, onEdit }) {
  const element = h("div", {
    class: "tags",
    role: "group",
    "aria-label": "Active filters",
    hidden: true,
  });
  let drawn = "";
  /** @param {Filter[]} filters */
  const set = (filters) => {
    const key = JSON.stringify(filters);
    element.hidden = filters.length === 0;
    if (key === drawn) return;
    drawn = key;
    const clear = h(
      "button",
      {
        class: "button button-quiet button-small",
        type: "button",
        on: { click: () => onChange([]) },
      },
      "Clear all",
    );
    refill(element, filters.map((filter) => tag(filter, filters)), filters.length > 0 && clear);
  };
  /**
   * @param {Filter} filter
   * @param {Filter[]} all
   */
  const tag = (filter, all) => {
    const words = valueWords(filter.values);
    const name = label(filter.dimension);
    return h(
      "span",
      { class: "tag", title: filter.values.join("\n") },
      h(
        "button",
        {
          class: "tag-text",
          type: "button",
          "aria-label": `Change filter ${name} ${MATCH_WORDS[filter.match]} ${words}`,
          on: { click: () => onEdit?.(filter) },
        },
        h("span", { class: "tag-name" }, name),
        ` ${MATCH_WORDS[filter.match]} `,
        h("strong", {}, words),
      ),
      h(
        "button",
        {
          class: "tag-close",
          type: "button",
          "aria-label": `Remove filter ${name} ${words}`,
          on: { click: () => onChange(all.filter((one) => one !== filter)) },
        },
        icon("close"),
      ),
    );
  };
  return { element, set };
}

/** @param {string[]} values */
function valueWords(values) {
  const words = values.slice(0, SHOWN_VALUES).map((value) => value === "" ? "(none)" : value);
  const more = values.length > SHOWN_VALUES ? ` or ${values.length - SHOWN_VALUES} more` : "";
  return words.join(" or ") + more;
}
