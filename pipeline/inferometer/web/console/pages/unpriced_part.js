// @ts-check
/** Models whose usage the price book cannot price, or not in full: a missing price is not zero. */

/** @import { App } from "../app.js" */

import { h, replace } from "../components/dom.js";
import { table } from "../components/table.js";
import { writeFilter } from "../shell/filters.js";
import { createPart, rowsOf } from "./part.js";

/**
 * @typedef {object} UnpricedRow
 * @property {string} provider
 * @property {string} model
 * @property {number} attempts
 * @property {number} unpriced_requests
 * @property {number} partially_priced_requests
 * @property {number} input_tokens
 * @property {number} output_tokens
 */

/**
 * @param {App} app
 * @param {() => void} onRetry
 */
export function unpricedPart(app, onRetry) {
  const part = createPart({
    title: "Unpriced models",
    definition:
      "Attempts of which the price book knows nothing, or not every unit. Their cost is missing " +
      "from every figure here; it is not zero.",
    onRetry,
  });
  const list = table({
    caption: "Models without a price",
    rowKey: (row) => `${row.provider}/${row.model}`,
    sort: { key: "unpriced_requests", isDescending: true },
    columns: [
      {
        key: "model",
        label: "Model",
        isRowHeader: true,
        render: (/** @type {UnpricedRow} */ row) =>
          h("a", {
            href: app.href("logs", {
              filter: [writeFilter({ dimension: "model", match: "=", values: [row.model] })],
            }),
          }, row.model),
      },
      { key: "provider", label: "Provider" },
      {
        key: "unpriced_requests",
        label: "Unpriced",
        unit: "count",
        definition: "Attempts without any price.",
      },
      {
        key: "partially_priced_requests",
        label: "In part",
        unit: "count",
        definition: "Attempts with a price for some of their units.",
      },
      {
        key: "tokens",
        label: "Tokens",
        unit: "tokens",
        definition: "Input and output of all of the model's attempts in the span.",
        value: (/** @type {UnpricedRow} */ row) => row.input_tokens + row.output_tokens,
      },
    ],
  });
  const hint = h(
    "p",
    { class: "quiet cost-hint" },
    "Add a line for each to your price file (",
    h("code", { class: "mono" }, "schemas/examples/prices.yaml"),
    " shows how); requests from then on are priced.",
  );
  return {
    element: part.element,
    /** @param {Promise<any>} answer */
    load: (answer) =>
      part.load(answer, (body) => {
        const rows = rowsOf(body, "unpriced", "models");
        if (rows.length === 0) {
          replace(
            part.content,
            h(
              "p",
              {},
              h("span", { class: "badge badge-good" }, "Complete"),
              " Every attempt in this span has a price.",
            ),
          );
          return;
        }
        if (!list.element.isConnected) replace(part.content, list.element, hint);
        list.set(rows);
      }),
  };
}
