// @ts-check
/** The cards of the Pipeline page that one answer fills: checks, ledger, partitions, folded values. */

/** @import { App } from "../app.js" */

import { card } from "../components/card.js";
import { h, refill } from "../components/dom.js";
import { table } from "../components/table.js";
import { formatCount, formatInstant, formatRatio, formatSpan_s } from "../format.js";

/**
 * @typedef {object} PartitionRow
 * @property {string} kafka_topic
 * @property {number} kafka_partition
 * @property {string | null} watermark
 * @property {string | null} updated_at
 * @property {number} [events_last_hour]
 * @property {number} [stored_last_hour]
 * @property {number} [events]
 * @property {number} [stored]
 * @property {number} [dead]
 * @property {number} [duplicates]
 * @property {number | null} [lag_records]
 */

/** @typedef {{records: number, events: number, stored: number, dead: number, duplicates: number}} Ledger */
/** @typedef {{name: string, is_ok: boolean, detail: string}} Check */

/**
 * @typedef {object} FoldedRow
 * @property {string} dimension
 * @property {string} month
 * @property {number} distinct_values
 * @property {number} fullest_partition_values
 * @property {number} folded_events
 */

/** A partition further behind is marked: chunks are cut every few seconds. */
const BEHIND_S = 300;

export function checksPart() {
  const frame = card({
    title: "Checks",
    definition: "What must hold at any moment for the figures of every page to be true.",
  });
  return {
    element: frame.element,
    /** @param {Check[]} checks */
    set(checks) {
      refill(
        frame.body,
        checks.length === 0
          ? h("p", { class: "quiet" }, "No check has run yet.")
          : h("ul", { class: "pipeline-checks" }, checks.map(checkItem)),
      );
    },
  };
}

/** @param {Check} check */
function checkItem(check) {
  const text = check.name.replaceAll("_", " ");
  return h(
    "li",
    { class: "pipeline-check" },
    h(
      "span",
      { class: `badge ${check.is_ok ? "badge-good" : "badge-bad"}` },
      check.is_ok ? "Holds" : "Attention",
    ),
    h(
      "div",
      {},
      h("div", { class: "pipeline-check-name" }, text.charAt(0).toUpperCase() + text.slice(1)),
      h("div", { class: "quiet" }, check.detail),
    ),
  );
}

export function ledgerPart() {
  const frame = card({
    title: "Account of the last hour",
    definition:
      "What became of the events of the last hour's chunks: each is stored, dead or a duplicate. " +
      "A chunk's line is written once, together with what it did.",
  });
  return {
    element: frame.element,
    /** @param {Ledger} ledger */
    set(ledger) {
      const parts = /** @type {[string, number, string][]} */ ([
        ["Stored", ledger.stored, "pipeline-stored"],
        ["Duplicates", ledger.duplicates, "pipeline-duplicates"],
        ["Dead", ledger.dead, "pipeline-dead"],
      ]);
      refill(frame.body, equation(ledger), bar(parts), legend(parts, ledger.events));
    },
  };
}

/** @param {Ledger} ledger */
function equation(ledger) {
  const missing = ledger.events - ledger.stored - ledger.duplicates - ledger.dead;
  /** @param {number} count */
  const number = (count) => h("strong", { class: "num" }, formatCount(count, { isLong: true }));
  return h(
    "p",
    {},
    number(ledger.events),
    " events of ",
    number(ledger.records),
    " records = ",
    number(ledger.stored),
    " stored + ",
    number(ledger.duplicates),
    " duplicates + ",
    number(ledger.dead),
    " dead ",
    missing === 0 ? h("span", { class: "badge badge-good" }, "balanced") : h(
      "span",
      { class: "badge badge-bad" },
      `${formatCount(missing, { isLong: true })} unaccounted`,
    ),
  );
}

/** @param {[string, number, string][]} parts */
function bar(parts) {
  return h(
    "div",
    { class: "pipeline-bar", "aria-hidden": "true" },
    parts.filter(([, count]) => count > 0).map(([, count, name]) => {
      const part = h("span", { class: name });
      part.style.flexGrow = String(count);
      return part;
    }),
  );
}

/**
 * @param {[string, number, string][]} parts
 * @param {number} events
 */
function legend(parts, events) {
  return h(
    "p",
    { class: "row quiet pipeline-legend" },
    parts.map(([label, count, name]) =>
      h(
        "span",
        {},
        h("i", { class: `pipeline-key ${name}` }),
        ` ${label} ${formatRatio(events > 0 ? count / events : null)}`,
      )
    ),
  );
}

/** @param {App} app */
export function partitionsPart(app) {
  const frame = card({
    title: "Partitions",
    definition: "How far each partition is complete. A window is final once every partition's " +
      "watermark has passed its end.",
  });
  const list = table({
    caption: "Freshness by partition",
    sort: { key: "behind", isDescending: true },
    rowKey: (row) => `${row.kafka_topic}/${row.kafka_partition}`,
    columns: [
      {
        key: "partition",
        label: "Partition",
        isRowHeader: true,
        value: (row) => `${row.kafka_topic} / ${row.kafka_partition}`,
      },
      {
        key: "watermark",
        label: "Complete up to",
        definition: "The watermark, in event time.",
        value: (row) => row.watermark,
        render: (/** @type {PartitionRow} */ row) => instant(app, row.watermark),
      },
      {
        key: "behind",
        label: "Behind",
        align: "end",
        definition: "From the watermark to now.",
        value: (row) => secondsSince(row.watermark),
        render: (/** @type {PartitionRow} */ row) => behind(row.watermark),
      },
      {
        key: "lag_records",
        label: "Records behind",
        unit: "count",
        definition: "What the furthest behind of the consumer groups has yet to read and commit; " +
          "– where the console knows no broker.",
        value: (row) => row.lag_records,
      },
      {
        key: "updated_at",
        label: "Last chunk",
        definition: "When the last chunk of it was judged.",
        value: (row) => row.updated_at,
        render: (/** @type {PartitionRow} */ row) => instant(app, row.updated_at),
      },
      {
        key: "events_last_hour",
        label: "Events (1 h)",
        unit: "count",
        value: (row) => row.events_last_hour ?? row.events,
      },
      {
        key: "dead",
        label: "Dead (1 h)",
        unit: "count",
        value: (row) => row.dead_last_hour ?? row.dead,
      },
      {
        key: "duplicates",
        label: "Duplicates (1 h)",
        unit: "count",
        value: (row) => row.duplicates_last_hour ?? row.duplicates,
      },
    ],
    emptyText:
      "No chunk has been stored yet: start a worker, or check that it reads the right topic.",
  });
  frame.body.append(list.element);
  return {
    element: frame.element,
    /** @param {PartitionRow[]} rows */
    set: (rows) => list.set(rows),
  };
}

/**
 * @param {App} app
 * @param {string | null} at
 */
function instant(app, at) {
  return h("span", { class: "num" }, formatInstant(at, app.zone, { seconds: true }));
}

/**
 * @param {string | null} at
 * @returns {number | null}
 */
function secondsSince(at) {
  return at === null ? null : Math.max(0, (Date.now() - Date.parse(at)) / 1000);
}

/** @param {string | null} watermark */
function behind(watermark) {
  const seconds = secondsSince(watermark);
  const text = formatSpan_s(seconds === null ? null : Math.round(seconds));
  return seconds !== null && seconds > BEHIND_S
    ? h("span", { class: "badge badge-warn num" }, text)
    : h("span", { class: "num" }, text);
}

export function foldedPart() {
  const frame = card({
    title: "Dimension values",
    definition:
      "How many values each dimension has had this month. Beyond its cap a partition counts " +
      "further values under __other__ in roll-ups; the log keeps them.",
  });
  const list = table({
    caption: "Dimension values and what was folded",
    sort: { key: "folded_events", isDescending: true },
    rowKey: (row) => `${row.kafka_topic}/${row.month}/${row.dimension}`,
    columns: [
      { key: "dimension", label: "Dimension", isRowHeader: true },
      { key: "month", label: "Month", value: (row) => String(row.month).slice(0, 7) },
      {
        key: "distinct_values",
        label: "Values",
        unit: "count",
        definition: "Distinct, over all partitions.",
      },
      {
        key: "fullest_partition_values",
        label: "Fullest partition",
        unit: "count",
        definition: "What the cap bounds.",
      },
      {
        key: "folded_events",
        label: "Folded events",
        unit: "count",
        definition: "Events of the month that roll-ups count under __other__.",
      },
    ],
    emptyText: "No dimension has a value yet.",
  });
  frame.body.append(list.element);
  return {
    element: frame.element,
    /** @param {FoldedRow[]} rows */
    set: (rows) => list.set(rows),
  };
}
