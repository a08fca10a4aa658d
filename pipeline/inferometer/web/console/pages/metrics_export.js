// @ts-check
/** The export of aggregated metrics: several groupings at once, as a file or by API (S3-27 to S3-30). */

import { openDialog } from "../components/dialog.js";
import { h, replace } from "../components/dom.js";
import { segmented, select } from "../components/select.js";
import { formatInstant } from "../format.js";
import { ApiError } from "../shell/api.js";
import { granularitiesFor } from "../shell/ranges.js";
import { VIEWS } from "./model_charts.js";

const FORMATS = ["csv", "jsonl", "parquet", "json"].map((value) => ({
  value,
  label: { csv: "CSV", jsonl: "JSON lines", parquet: "Parquet", json: "JSON" }[value] ?? value,
}));
const MEASURES = [
  "requests",
  "rps",
  "failures",
  "failure_ratio",
  "input_tokens",
  "output_tokens",
  "cost_usd",
  "cost_per_request_usd",
  "e2e_mean_ms",
  "e2e_p50_ms",
  "e2e_p95_ms",
  "e2e_p99_ms",
  "ttft_p50_ms",
  "ttft_p95_ms",
  "ttft_p99_ms",
  "itl_p95_ms",
  "tpot_p95_ms",
];
const CHOSEN_AT_FIRST = 8;

/**
 * @param {import("../app.js").App} app
 * @param {string[]} metadataKeys
 */
export function openMetricsExport(app, metadataKeys) {
  const form = new ExportForm(app, metadataKeys);
  openDialog({ title: "Export metrics", body: form.element, isWide: true });
}

class ExportForm {
  /**
   * @param {import("../app.js").App} app
   * @param {string[]} metadataKeys
   */
  constructor(app, metadataKeys) {
    this.app = app;
    this.groups = new Set([app.state.get("view", "model")]);
    this.measures = new Set(MEASURES.slice(0, CHOSEN_AT_FIRST));
    this.granularity = app.state.get("granularity", "total");
    this.format = "csv";
    this.address = h("input", {
      class: "input mono",
      readonly: true,
      "aria-label": "Address of the API for this export",
      on: { focus: () => this.address.select() },
    });
    this.download = h("a", { class: "button button-primary", download: true }, "Download");
    this.download.addEventListener("click", (event) => this.#click(event));
    this.isAsked = false;
    this.problem = h("p", { class: "bad-text", role: "alert" });
    this.element = this.#build(metadataKeys);
    this.#update();
  }

  /** @param {string[]} metadataKeys */
  #build(metadataKeys) {
    const keys = metadataKeys.map((key) => ({ value: `metadata.${key}`, label: key }));
    const measures = MEASURES.map((value) => ({ value, label: this.app.measure(value).label }));
    const windows = [
      { value: "total", label: "One row a group: the whole range" },
      ...granularitiesFor(this.app.span_s).filter((one) => one.value !== "auto"),
    ];
    return h(
      "div",
      { class: "stack models-export" },
      h(
        "div",
        { class: "models-export-groups" },
        this.#boxes("Group by", VIEWS, this.groups),
        keys.length > 0
          ? this.#boxes("Metadata keys", keys, this.groups)
          : h("p", { class: "quiet" }, "Requests of this range carry no metadata keys."),
        this.#boxes("Measures", measures, this.measures),
      ),
      h(
        "div",
        { class: "row row-end" },
        select({
          label: "Granularity",
          options: windows,
          value: this.granularity,
          onChange: (value) => {
            this.granularity = value;
            this.#update();
          },
        }).element,
        h(
          "div",
          { class: "field" },
          h("span", { class: "field-label" }, "Format"),
          segmented({
            label: "Format",
            options: FORMATS,
            value: this.format,
            onChange: (value) => {
              this.format = value;
              this.#update();
            },
          }).element,
        ),
      ),
      this.problem,
      h(
        "p",
        { class: "quiet small" },
        "Range, zone and filters of the page apply. All groups are in the file, not only the top ones; money is exact. Several groupings that no roll-up has together are answered from the request log, inside its retention.",
      ),
      h(
        "label",
        { class: "field" },
        h("span", { class: "field-label" }, "The same by API"),
        this.address,
      ),
      h("div", { class: "row" }, this.download),
    );
  }

  /**
   * @param {string} label
   * @param {{value: string, label: string}[]} options
   * @param {Set<string>} chosen
   */
  #boxes(label, options, chosen) {
    return h(
      "fieldset",
      {},
      h("legend", { class: "field-label" }, label),
      options.map((option) => {
        const box = h("input", {
          type: "checkbox",
          name: option.value,
          checked: chosen.has(option.value),
          on: {
            change: () => {
              if (box.checked) chosen.add(option.value);
              else chosen.delete(option.value);
              this.#update();
            },
          },
        });
        return h(
          "label",
          { class: "check" },
          box,
          h("span", { class: "check-label" }, option.label),
        );
      }),
    );
  }

  /**
   * A refused export would be a file that does not come; so the question is asked first, small.
   * @param {MouseEvent} event
   */
  async #click(event) {
    if (this.isAsked || !this.download.href) return;
    event.preventDefault();
    const query = this.#query({ top: 1, format: null });
    try {
      const { coverage } = await this.app.api.get("/metrics", query);
      if (!coverage.is_whole) {
        const from = formatInstant(coverage.from, this.app.zone);
        this.app.toast(`The file begins at ${from}: ${coverage.reason}.`);
      }
    } catch (error) {
      const problems = error instanceof ApiError ? error.problems : [];
      const words = problems.map((one) => `${one.parameter}: ${one.reason}. ${one.remedy}.`);
      replace(this.problem, words.join(" ") || String(error));
      return;
    }
    this.isAsked = true;
    this.download.click();
    this.isAsked = false;
  }

  /** @param {Record<string, any>} extra */
  #query(extra) {
    return this.app.query({
      measure: [...this.measures].join(","),
      group_by: [...this.groups],
      granularity: this.granularity,
      format: this.format,
      ...extra,
    });
  }

  #update() {
    const isPossible = this.measures.size > 0;
    replace(this.problem, isPossible ? "" : "Choose at least one measure.");
    const href = this.app.api.url("/metrics", this.#query({}));
    this.address.value = new URL(href, location.href).href;
    if (isPossible) this.download.href = href;
    else this.download.removeAttribute("href");
    this.download.download = `metrics.${this.format}`;
  }
}
