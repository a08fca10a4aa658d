// @ts-check
/** Pipeline: how fresh and whole the data is, what became of every record, and what was refused. */

/** @import { App } from "../app.js" */
/** @import { Page } from "../types.js" */

import { h } from "../components/dom.js";
import { skeleton } from "../components/states.js";
import { tile } from "../components/tile.js";
import { deadLetters } from "./dead_letters.js";
import { without } from "./span_query.js";
import { checksPart, foldedPart, ledgerPart, partitionsPart } from "./pipeline_parts.js";

/**
 * @typedef {object} PipelineAnswer
 * @property {import("./pipeline_parts.js").PartitionRow[]} partitions
 * @property {import("../types.js").Freshness} freshness
 * @property {import("./dead_letters.js").ReasonRow[]} dead_letters
 * @property {import("./pipeline_parts.js").FoldedRow[]} folded
 * @property {import("./pipeline_parts.js").Ledger} ledger
 * @property {import("./pipeline_parts.js").Check[]} checks
 */

/** @type {Page} */
export const page = {
  name: "pipeline",
  title: "Pipeline",
  controls: { range: true, refresh: true, filters: [] },
  first: (app) => [question(app)],
  create(root, app) {
    const view = buildView(root, app);
    return {
      refresh: (signal) => refresh(view, app, signal),
      destroy: () => view.letters.destroy(),
    };
  },
};

/** @typedef {ReturnType<typeof buildView>} View */

/**
 * @param {HTMLElement} root
 * @param {App} app
 */
function buildView(root, app) {
  const tiles = {
    lag: tile({
      label: "Behind",
      unit: "s",
      higherIsWorse: true,
      definition:
        "From the watermark to now: everything that ended before the watermark is stored. " +
        "The slowest partition counts.",
    }),
    rate: tile({
      label: "Events a second",
      unit: "per_s",
      definition: "Stored events of the last hour's chunks, by second.",
    }),
    dead: tile({
      label: "Dead letters",
      unit: "count",
      higherIsWorse: true,
      definition: "Events that the door refused in the span, each with its reason and its bytes.",
    }),
    folded: tile({
      label: "Folded events",
      unit: "count",
      higherIsWorse: true,
      definition:
        "Events counted under __other__ in roll-ups, because a dimension had more values " +
        "than its cap this month. The log has them whole.",
    }),
  };
  const parts = {
    partitions: partitionsPart(app),
    ledger: ledgerPart(),
    checks: checksPart(),
    folded: foldedPart(),
  };
  const letters = deadLetters(app);
  const waiting = skeleton("table");
  const body = h(
    "div",
    { class: "pipeline-body", hidden: true },
    h(
      "section",
      { class: "grid-tiles", "aria-label": "Key figures" },
      Object.values(tiles).map((one) => one.element),
    ),
    parts.checks.element,
    parts.ledger.element,
    parts.partitions.element,
    letters.element,
    parts.folded.element,
  );
  root.append(waiting, body);
  return { tiles, parts, letters, waiting, body };
}

/**
 * @param {App} app
 * @returns {import("../types.js").Question}
 */
function question(app) {
  return ["/pipeline", without(app.query(), "filter", "workspace")];
}

/**
 * @param {View} view
 * @param {App} app
 * @param {AbortSignal} signal
 */
async function refresh(view, app, signal) {
  const [path, query] = question(app);
  const letters = view.letters.refresh(new URLSearchParams(query), signal);
  const answer = /** @type {PipelineAnswer} */ (await app.api.get(path, query, { signal }));
  view.waiting.hidden = true;
  view.body.hidden = false;
  showTiles(view, answer);
  view.parts.partitions.set(answer.partitions);
  view.parts.ledger.set(answer.ledger);
  view.parts.checks.set(answer.checks);
  view.parts.folded.set(answer.folded);
  view.letters.setReasons(answer.dead_letters);
  app.noteAnswer({ freshness: answer.freshness });
  await letters;
}

/**
 * @param {View} view
 * @param {PipelineAnswer} answer
 */
function showTiles(view, answer) {
  const { tiles } = view;
  const stored = sumOf(
    answer.partitions,
    (row) => row.stored_last_hour ?? row.stored ?? row.events_last_hour ?? 0,
  );
  tiles.lag.set({ value: answer.freshness.lag_s, note: `${answer.partitions.length} partitions` });
  tiles.rate.set({ value: stored / 3600, note: "mean of the last hour" });
  tiles.dead.set({
    value: sumOf(answer.dead_letters, (row) => row.count),
    note: `${answer.dead_letters.length} ${
      answer.dead_letters.length === 1 ? "reason" : "reasons"
    }`,
  });
  tiles.folded.set({ value: sumOf(answer.folded, (row) => Number(row.folded_events ?? 0)) });
}

/**
 * @template T
 * @param {T[]} rows
 * @param {(row: T) => number} amount
 * @returns {number}
 */
function sumOf(rows, amount) {
  return rows.reduce((sum, row) => sum + amount(row), 0);
}
