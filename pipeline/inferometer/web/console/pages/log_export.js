// @ts-check
/** Takes rows of the log away as a file, after saying how many there are and how many fit. */

/** @import { App } from "../app.js" */

import { openDialog } from "../components/dialog.js";
import { h, replace } from "../components/dom.js";
import { segmented, select } from "../components/select.js";
import { errorState } from "../components/states.js";
import { formatCount, formatInstant } from "../format.js";
import { rowConditions } from "./log_query.js";

export const MOST_ROWS = 1_000_000;

const LIMITS = [1000, 10_000, 100_000, MOST_ROWS];

const FORMATS = [
  { value: "csv", label: "CSV" },
  { value: "jsonl", label: "JSON lines" },
  { value: "parquet", label: "Parquet" },
];

/** @typedef {import("./logs.js").LogAnswer} LogAnswer */

/** @param {App} app */
export function openLogExport(app) {
  const chosen = { format: "csv", limit: 100_000 };
  /** @type {LogAnswer | null} */
  let counted = null;
  const facts = h("div", { class: "export-facts", role: "status" }, "Counting the rows…");
  const download = h("a", { class: "button button-primary", "aria-disabled": "true" }, "Download");
  const format = segmented({
    label: "Format",
    options: FORMATS,
    value: chosen.format,
    onChange: (value) => update({ format: value }),
  });
  const limit = select({
    label: "At most",
    options: LIMITS.map((rows) => ({
      value: String(rows),
      label: `${formatCount(rows, { isLong: true })} rows`,
    })),
    value: String(chosen.limit),
    onChange: (value) => update({ limit: Number(value) }),
  });
  const close = openDialog({
    title: "Export logs",
    body: [
      facts,
      h("div", { class: "stack" }, format.element, limit.element),
      h("div", { class: "row export-actions" }, download),
    ],
  });
  download.addEventListener("click", () => {
    app.toast("The download has begun", { kind: "info" });
    close();
  });

  /** @param {Partial<typeof chosen>} changes */
  function update(changes) {
    Object.assign(chosen, changes);
    if (counted === null) return;
    replace(facts, ...factsOf(app, counted, chosen.limit));
    download.setAttribute("href", exportUrl(app, counted, chosen));
    download.setAttribute("download", fileName(counted, chosen.format));
    download.removeAttribute("aria-disabled");
  }

  async function count() {
    try {
      counted = await app.api.get("/requests", app.query({ ...rowConditions(app), limit: 1 }));
      update({});
    } catch (error) {
      replace(facts, errorState(error, count));
    }
  }
  count();
}

/**
 * The span is frozen to the counted one, so that the file has the rows that were announced.
 * @param {App} app
 * @param {LogAnswer} counted
 * @param {{format: string, limit: number}} chosen
 * @returns {string}
 */
function exportUrl(app, counted, chosen) {
  const query = app.query({ ...rowConditions(app), format: chosen.format, limit: chosen.limit });
  query.set("from", counted.coverage.from);
  query.set("to", counted.coverage.to);
  return app.api.url("/requests", query);
}

/**
 * @param {LogAnswer} counted
 * @param {string} format
 * @returns {string}
 */
function fileName(counted, format) {
  /** @param {string} instant */
  const stamp = (instant) => instant.slice(0, 16).replaceAll(":", "");
  return `requests_${stamp(counted.coverage.from)}_${stamp(counted.coverage.to)}.${format}`;
}

/**
 * @param {App} app
 * @param {LogAnswer} counted
 * @param {number} limit
 * @returns {Node[]}
 */
function factsOf(app, counted, limit) {
  const atLeast = counted.row_count_is_lower_bound ? "More than " : "";
  const span = `${formatInstant(counted.coverage.from, app.zone)} to ${
    formatInstant(counted.coverage.to, app.zone)
  }`;
  return [
    h(
      "p",
      {},
      h(
        "strong",
        { class: "num" },
        `${atLeast}${formatCount(counted.row_count, { isLong: true })}`,
      ),
      ` ${counted.row_count === 1 ? "row" : "rows"} from ${span}, with the filters of the page.`,
    ),
    h("p", {}, fit(counted, limit)),
    h(
      "p",
      { class: "quiet" },
      `Every column of an attempt; amounts exact. One file has ${
        formatCount(MOST_ROWS, { isLong: true })
      } ` +
        `rows at most, and rows are kept ${counted.kept_days} days.`,
    ),
  ];
}

/**
 * Say whether the file holds all of the rows.
 * @param {LogAnswer} counted
 * @param {number} limit
 * @returns {string}
 */
function fit(counted, limit) {
  const rows = formatCount(limit, { isLong: true });
  if (counted.row_count > limit) {
    return `The file holds the newest ${rows} of them; narrow the span for the others.`;
  }
  if (!counted.row_count_is_lower_bound) return "All of them fit into the file.";
  return `Rows are not counted further. The file holds the newest ${rows} at most.`;
}
