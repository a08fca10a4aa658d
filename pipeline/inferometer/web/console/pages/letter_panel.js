// @ts-check
/** The side panel of one dead letter: why it was refused, and its bytes as text or as hexadecimal. */

/** @import { App } from "../app.js" */
/** @import { LetterRow } from "./dead_letters.js" */

import { h, replace } from "../components/dom.js";
import { segmented } from "../components/select.js";
import { openSidePanel } from "../components/side_panel.js";
import { formatBytes, formatInstant } from "../format.js";
import { copyButton } from "./clipboard.js";
import { bytesOf, hexDump, indented, SHOWN_BYTES } from "./record_bytes.js";

const CLOSED = { letter: null, bytes: null };

/**
 * Where a letter stands, as the URL names it.
 * @param {LetterRow} row
 * @returns {string}
 */
export function letterKey(row) {
  return [row.kafka_topic, row.kafka_partition, row.kafka_offset, row.kafka_index].join("/");
}

/** @param {App} app */
export function letterPanel(app) {
  return new LetterPanel(app);
}

class LetterPanel {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    /** @type {ReturnType<typeof openSidePanel> | null} */
    this.panel = null;
    this.drawn = "";
    this.body = h("div", { class: "pipeline-letter" });
  }

  /**
   * Show the letter that the URL names, if it is among the rows.
   * @param {LetterRow[]} rows
   */
  follow(rows) {
    const key = this.app.state.get("letter");
    const row = rows.find((one) => letterKey(one) === key);
    if (row === undefined) {
      this.panel?.close();
      return;
    }
    const isHex = row.text === null || this.app.state.get("bytes") === "hex";
    const drawing = [key, isHex, this.app.zone].join("|");
    if (this.panel === null) {
      this.panel = openSidePanel({
        title: "Dead letter",
        body: this.body,
        onClose: () => this.closed(),
      });
    } else if (this.drawn === drawing) {
      return;
    }
    this.drawn = drawing;
    const hadFocus = this.body.contains(document.activeElement);
    replace(this.body, this.content(row, isHex));
    if (hadFocus) {
      /** @type {HTMLElement | null} */ (this.body.querySelector("input:checked"))?.focus();
    }
  }

  closed() {
    this.panel = null;
    this.drawn = "";
    if (this.app.state.page === "pipeline" && this.app.state.get("letter")) {
      this.app.state.set(CLOSED);
    }
  }

  /**
   * @param {LetterRow} row
   * @param {boolean} isHex
   */
  content(row, isHex) {
    const bytes = bytesOf(row.base64);
    const text = row.text === null ? "" : indented(row.text);
    const form = segmented({
      label: "Form of the bytes",
      options: row.text === null
        ? [{ value: "hex", label: "Hexadecimal" }]
        : [{ value: "text", label: "Text" }, { value: "hex", label: "Hexadecimal" }],
      value: isHex ? "hex" : "text",
      onChange: (value) =>
        this.app.state.set({ bytes: value === "hex" ? value : null }, { replace: true }),
    });
    return [
      h("p", {}, h("span", { class: "badge badge-bad mono" }, row.reason), " ", row.detail),
      facts(this.app, row, bytes.length),
      h(
        "div",
        { class: "row" },
        form.element,
        copyButton(this.app, "Copy", () => isHex ? hexDump(bytes) : text),
        downloadLink(row, bytes),
      ),
      h(
        "pre",
        { class: "pipeline-bytes mono", tabindex: "0", "aria-label": "The original bytes" },
        isHex ? hexDump(bytes) : text.slice(0, SHOWN_BYTES),
      ),
      bytes.length > SHOWN_BYTES &&
      h(
        "p",
        { class: "quiet" },
        `The first ${formatBytes(SHOWN_BYTES)} are shown; the download has all.`,
      ),
      row.text === null && h("p", { class: "quiet" }, "The bytes are not text in UTF-8."),
    ];
  }

  destroy() {
    this.panel?.close();
  }
}

/**
 * @param {App} app
 * @param {LetterRow} row
 * @param {number} size
 */
function facts(app, row, size) {
  const entries = [
    ["Topic", row.kafka_topic],
    ["Partition", row.kafka_partition],
    ["Offset", row.kafka_offset],
    ["Place in the record", row.kafka_index],
    ["Written to the topic", formatInstant(row.append_time, app.zone, { milliseconds: true })],
    ["Refused", formatInstant(row.decided_at, app.zone, { milliseconds: true })],
    ["Content type", row.content_type || "–"],
    ["Size", formatBytes(size)],
  ];
  return h(
    "dl",
    { class: "log-fields" },
    entries.map(([name, value]) => [h("dt", {}, name), h("dd", { class: "num" }, value)]).flat(),
  );
}

/**
 * @param {LetterRow} row
 * @param {Uint8Array} bytes
 */
function downloadLink(row, bytes) {
  const name =
    `${row.kafka_topic}_${row.kafka_partition}_${row.kafka_offset}_${row.kafka_index}.bin`;
  const click = () => {
    const url = URL.createObjectURL(new Blob([/** @type {BlobPart} */ (bytes)]));
    const link = h("a", { href: url, download: name });
    link.click();
    URL.revokeObjectURL(url);
  };
  return h("button", { class: "button button-quiet", type: "button", on: { click } }, "Download");
}
