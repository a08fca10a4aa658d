// @ts-check
/** What is billed by something else than text tokens: images, seconds, characters (S1-12 to S1-16). */

import { card } from "../components/card.js";
import { h } from "../components/dom.js";
import { table } from "../components/table.js";

const MEASURES = [
  "requests",
  "total_tokens",
  "images",
  "video_s",
  "audio_s",
  "audio_in_s",
  "characters",
  "cost_usd",
];

/**
 * @param {import("../app.js").App} app
 * @returns {import("../types.js").Question}
 */
export function mediaQuestion(app) {
  const query = app.query({
    measure: MEASURES,
    group_by: "model_type",
    granularity: "total",
    top: 20,
  });
  return ["/metrics", query];
}

export class MediaUnits {
  /** @param {import("../app.js").App} app */
  constructor(app) {
    this.app = app;
    const box = card({
      title: "Usage by model type",
      definition:
        "Each type is billed by its unit: tokens for text, vision and omni models; images and seconds of video that were made successfully; seconds, characters or tokens for speech.",
    });
    this.table = table({
      caption: "Usage by model type",
      columns: [
        { key: "model_type", label: "Model type", isRowHeader: true },
        ...MEASURES.map((measure) => ({
          key: measure,
          measure,
          // Most types use few units; what is used should stand out.
          render: (/** @type {any} */ row) =>
            row[measure] ? app.text(measure, row[measure]) : h("span", { class: "quiet" }, "0"),
        })),
      ],
      sort: { key: "requests", isDescending: true },
      rowKey: (row) => row.model_type,
    });
    box.body.append(this.table.element);
    box.body.classList.add("card-flush");
    this.element = box.element;
  }

  /** @param {import("../types.js").MetricsAnswer} answer */
  set(answer) {
    this.table.set(
      answer.series.map((one) => ({ model_type: one.label || "(none)", ...one.total })),
      { total: { model_type: "All", ...answer.total } },
    );
  }
}
