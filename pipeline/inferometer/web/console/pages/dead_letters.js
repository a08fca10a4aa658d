// @ts-check
/** Dead letters: how many by reason, then each with what was wrong and its original bytes. */

/** @import { App } from "../app.js" */

import { card } from "../components/card.js";
import { h, replace } from "../components/dom.js";
import { errorState } from "../components/states.js";
import { table } from "../components/table.js";
import { formatBytes, formatInstant } from "../format.js";
import { letterKey, letterPanel } from "./letter_panel.js";
import { isAbort, isAway } from "./part.js";

/** @typedef {{reason: string, count: number, first_at: string, last_at: string}} ReasonRow */

/**
 * @typedef {object} LetterRow
 * @property {string} reason
 * @property {string} detail
 * @property {string} kafka_topic
 * @property {number} kafka_partition
 * @property {number} kafka_offset
 * @property {number} kafka_index
 * @property {string} append_time
 * @property {string} decided_at
 * @property {string} content_type
 * @property {number} size_bytes
 * @property {boolean} is_cut the bytes here are the beginning only
 * @property {string | null} text null where the bytes are not UTF-8
 * @property {string} base64
 */

const PAGE_ROWS = 50;

/** @param {App} app */
export function deadLetters(app) {
  return new DeadLetters(app);
}

class DeadLetters {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    const frame = card({
      title: "Dead letters",
      definition:
        "Events that the door refused. Their bytes are kept 14 days, so that they can be " +
        "mended and sent again (inferometer redrive).",
    });
    this.element = frame.element;
    this.reasons = reasonTable(app);
    this.letters = letterTable(app, (row) => app.state.set({ letter: letterKey(row) }));
    this.heading = h("h3", { class: "pipeline-letters-title" });
    this.notice = h("div");
    this.more = h("button", {
      class: "button",
      type: "button",
      hidden: true,
      on: { click: () => app.state.set({ cursor: this.next }) },
    }, "Older");
    this.first = h("button", {
      class: "button",
      type: "button",
      hidden: true,
      on: { click: () => app.state.set({ cursor: null }) },
    }, "Newest");
    this.single = h(
      "div",
      { hidden: true },
      this.heading,
      this.notice,
      this.letters.element,
      h("div", { class: "row pipeline-pager" }, this.first, this.more),
    );
    this.panel = letterPanel(app);
    /** @type {string | null} */
    this.next = null;
    frame.body.append(this.reasons.element, this.single);
  }

  /** @param {ReasonRow[]} rows */
  setReasons(rows) {
    this.reasons.set(rows);
    if (rows.length === 0) this.single.hidden = true;
  }

  /**
   * @param {URLSearchParams} range
   * @param {AbortSignal} signal
   */
  async refresh(range, signal) {
    const { app } = this;
    const reason = app.state.get("reason");
    if (!app.can("operator")) {
      this.single.hidden = false;
      this.letters.element.hidden = true;
      this.heading.textContent = "The letters themselves";
      replace(
        this.notice,
        h(
          "p",
          { class: "quiet" },
          "Their bytes may hold what users sent: a token of the role operator shows them.",
        ),
      );
      return;
    }
    const query = new URLSearchParams(range);
    query.set("limit", String(PAGE_ROWS));
    if (reason) query.set("reason", reason);
    if (app.state.get("cursor")) query.set("cursor", app.state.get("cursor"));
    try {
      this.show(await app.api.get("/dead-letters", query, { signal }), reason);
    } catch (error) {
      // The banner of the page says that for all of it.
      if (isAbort(error) || isAway(error)) return;
      this.single.hidden = false;
      replace(this.notice, errorState(error));
    }
  }

  /**
   * @param {{rows: LetterRow[], next_cursor: string | null}} answer
   * @param {string} reason
   */
  show(answer, reason) {
    const { app } = this;
    replace(this.notice);
    this.next = answer.next_cursor;
    this.single.hidden = answer.rows.length === 0 && !reason;
    this.heading.replaceChildren(
      reason ? `Newest of ${reason} ` : "Newest of every reason",
      ...(reason ? [h("a", { href: app.href("pipeline") }, "show every reason")] : []),
    );
    this.letters.set(answer.rows);
    this.more.hidden = this.next === null;
    this.first.hidden = !app.state.get("cursor");
    this.panel.follow(answer.rows);
  }

  destroy() {
    this.panel.destroy();
  }
}

/** @param {App} app */
function reasonTable(app) {
  return table({
    caption: "Dead letters by reason",
    sort: { key: "count", isDescending: true },
    rowKey: (row) => row.reason,
    columns: [
      {
        key: "reason",
        label: "Reason",
        isRowHeader: true,
        render: (/** @type {ReasonRow} */ row) =>
          h("a", { class: "mono", href: app.href("pipeline", { reason: row.reason }) }, row.reason),
      },
      { key: "count", label: "Letters", unit: "count" },
      {
        key: "first_at",
        label: "First",
        value: (row) => row.first_at,
        render: (/** @type {ReasonRow} */ row) => when(app, row.first_at),
      },
      {
        key: "last_at",
        label: "Last",
        value: (row) => row.last_at,
        render: (/** @type {ReasonRow} */ row) => when(app, row.last_at),
      },
    ],
    emptyText: "No dead letters in this span: every event was accepted.",
  });
}

/**
 * @param {App} app
 * @param {(row: LetterRow) => void} onRow
 */
function letterTable(app, onRow) {
  return table({
    caption: "Dead letters, newest first",
    sort: null,
    rowKey: letterKey,
    rowLabel: (row) => `Bytes of the letter at ${letterKey(row)}`,
    onRow,
    columns: [
      {
        key: "place",
        label: "Partition and offset",
        definition:
          "Where the record stands in its topic; the last number is the event's place in it.",
        isRowHeader: true,
        isSortable: false,
        value: (row) =>
          `${row.kafka_partition} @ ${row.kafka_offset}${
            row.kafka_index > 0 ? `.${row.kafka_index}` : ""
          }`,
      },
      {
        key: "decided_at",
        label: "Refused",
        isSortable: false,
        render: (/** @type {LetterRow} */ row) => when(app, row.decided_at),
      },
      {
        key: "reason",
        label: "Reason",
        isSortable: false,
        render: (/** @type {LetterRow} */ row) => h("span", { class: "mono" }, row.reason),
      },
      { key: "detail", label: "What was wrong", isSortable: false, class: "pipeline-detail" },
      {
        key: "size",
        label: "Size",
        align: "end",
        isSortable: false,
        render: (/** @type {LetterRow} */ row) => formatBytes(row.size_bytes),
      },
    ],
    emptyText: "No letter has this reason in the span.",
  });
}

/**
 * @param {App} app
 * @param {string} at
 */
function when(app, at) {
  return h("span", { class: "num" }, formatInstant(at, app.zone, { seconds: true }));
}
