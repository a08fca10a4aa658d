// @ts-check
/** A file for finance: spend by the dimensions that are charged, by day or month, amounts exact. */

/** @import { App } from "../app.js" */

import { openDialog } from "../components/dialog.js";
import { h, replace } from "../components/dom.js";
import { multiSelect } from "../components/multi_select.js";
import { segmented, select } from "../components/select.js";
import { errorState } from "../components/states.js";
import { formatCount, formatInstant } from "../format.js";
import { costWay } from "./cost_groups.js";
import { spanQuery } from "./span_query.js";

const COLUMNS = [
  "cost_usd",
  "requests",
  "attempts",
  "input_tokens",
  "output_tokens",
  "unpriced_requests",
  "partially_priced_requests",
];

const WINDOWS = [
  { value: "total", label: "The whole span" },
  { value: "1mo", label: "A month" },
  { value: "1w", label: "A week" },
  { value: "1d", label: "A day" },
];

const FORMATS = [
  { value: "csv", label: "CSV" },
  { value: "jsonl", label: "JSON lines" },
  { value: "parquet", label: "Parquet" },
];

const GROUPS = ["team_id", "model", "user_id", "virtual_account_id", "provider", "virtual_model"];

/** @typedef {{groups: string[], granularity: string, format: string}} Chosen */

/** @param {App} app */
export function openCostExport(app) {
  const way = costWay(app);
  /** @type {Chosen} */
  const chosen = {
    groups: way === "component" ? ["team_id"] : [way],
    granularity: "1d",
    format: "csv",
  };
  const facts = h("div", { class: "export-facts export-facts-below", role: "status" });
  const download = h("a", { class: "button button-primary" }, "Download");
  let asked = 0;

  async function update() {
    asked += 1;
    const mine = asked;
    replace(facts, h("p", { class: "quiet" }, "Counting the rows…"));
    download.removeAttribute("href");
    try {
      const counted = await app.api.get(
        "/metrics",
        questionOf(app, chosen, { measure: "cost_usd", top: 1 }),
      );
      if (mine !== asked) return;
      replace(facts, factsOf(app, chosen, counted));
      const query = questionOf(app, chosen, { measure: COLUMNS, format: chosen.format });
      // Frozen, so that the file is of the span that was announced.
      query.set("from", counted.query.from);
      query.set("to", counted.query.to);
      download.setAttribute("href", app.api.url("/metrics", query));
      download.setAttribute(
        "download",
        `spend_${counted.query.from.slice(0, 10)}_${
          counted.query.to.slice(0, 10)
        }.${chosen.format}`,
      );
    } catch (error) {
      if (mine === asked) replace(facts, errorState(error, update));
    }
  }

  const close = openDialog({
    title: "Export for finance",
    body: [
      h("div", { class: "stack" }, choices(app, chosen, update)),
      facts,
      h("div", { class: "row export-actions" }, download),
    ],
  });
  download.addEventListener("click", () => {
    if (!download.hasAttribute("href")) return;
    app.toast("The download has begun");
    close();
  });
  update();
}

/**
 * @param {App} app
 * @param {Chosen} chosen
 * @param {() => void} update
 * @returns {HTMLElement[]}
 */
function choices(app, chosen, update) {
  /** @param {Partial<Chosen>} changes */
  const change = (changes) => {
    Object.assign(chosen, changes);
    update();
  };
  return [
    multiSelect({
      label: "Charged to",
      load: (prefix, signal) => groupChoices(app, prefix, signal),
      selected: chosen.groups,
      onChange: (groups) => change({ groups }),
      nameOf: (name) => app.dimensionLabel(name),
    }).element,
    select({
      label: "A row for each",
      options: WINDOWS,
      value: chosen.granularity,
      onChange: (granularity) => change({ granularity }),
    }).element,
    segmented({
      label: "Format",
      options: FORMATS,
      value: chosen.format,
      onChange: (format) => change({ format }),
    }).element,
  ];
}

/**
 * @param {App} app
 * @param {string} prefix
 * @param {AbortSignal | undefined} signal
 */
async function groupChoices(app, prefix, signal) {
  const keys = await app.api.get("/metadata-keys", spanQuery(app, { limit: 50 }), { signal });
  const names = [
    ...GROUPS,
    ...keys.values.map((/** @type {{value: string}} */ key) => `metadata.${key.value}`),
  ];
  return names
    .map((value) => ({ value, label: app.dimensionLabel(value) }))
    .filter(({ value, label }) => `${label} ${value}`.toLowerCase().includes(prefix.toLowerCase()));
}

/**
 * @param {App} app
 * @param {Chosen} chosen
 * @param {Record<string, any>} extra
 * @returns {URLSearchParams}
 */
function questionOf(app, chosen, extra) {
  return app.query({ group_by: chosen.groups, granularity: chosen.granularity, ...extra });
}

/**
 * @param {App} app
 * @param {Chosen} chosen
 * @param {import("../types.js").MetricsAnswer} counted
 * @returns {HTMLElement[]}
 */
function factsOf(app, chosen, counted) {
  const groups = chosen.groups.length > 0 ? counted.groups_total : 1;
  const rows = groups * counted.windows.length;
  const span = `${formatInstant(counted.query.from, app.zone)} to ${
    formatInstant(counted.query.to, app.zone)
  } (${app.zone})`;
  return [
    h(
      "p",
      {},
      "At most ",
      h("strong", { class: "num" }, formatCount(rows, { isLong: true })),
      ` rows: ${counted.windows.length} ${
        counted.windows.length === 1 ? "window" : "windows"
      } of ` +
        `${formatCount(groups, { isLong: true })} ${groups === 1 ? "group" : "groups"}, ${span}.`,
    ),
    h(
      "p",
      { class: "quiet" },
      `Columns: window_start, window_end, ${
        [...chosen.groups, ...COLUMNS].join(", ")
      }. Amounts are exact decimals.`,
    ),
    h("p", { class: "quiet" }, counted.cost_scope),
  ];
}
