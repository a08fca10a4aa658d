// @ts-check
/** The signs of life of the last quarter of an hour, against the one before. */

/** @import { App } from "../app.js" */

import { card } from "../components/card.js";
import { h } from "../components/dom.js";
import { errorState } from "../components/states.js";
import { tile } from "../components/tile.js";
import { isAbort } from "./part.js";

const MEASURES = [
  "rps",
  "failure_ratio",
  "ttft_p99_ms",
  "e2e_p99_ms",
  "cost_per_minute_usd",
  "retry_inflation",
  "cold_start_ratio",
];
const NODES = "Nodes";

/**
 * @param {App} app
 * @returns {import("../types.js").Question[]}
 */
export function vitalsQuestions(app) {
  const span = {
    from: "now-15m",
    to: "now",
    time_zone: app.zone,
    workspace: app.state.workspace,
  };
  const nodes = { measure: "requests", group_by: "node_id", top: 1, filter: "node_id!=" };
  return [
    ["/metrics", { ...span, measure: MEASURES, granularity: "1m", compare: "previous" }],
    ["/metrics", { ...span, ...nodes, granularity: "total" }],
  ];
}

/** @param {App} app */
export function vitals(app) {
  const frame = card({
    title: "The last 15 minutes",
    definition: "Against the 15 minutes before; the small line is by minute.",
  });
  const tiles = new Map(MEASURES.map((measure) => [measure, tile({ measure })]));
  const nodes = tile({
    label: NODES,
    definition: "Distinct nodes that answered requests, where events name them.",
  });
  const notice = h("div", {});
  frame.body.append(
    notice,
    h(
      "div",
      { class: "grid-tiles night-vitals" },
      [...tiles.values()].map((one) => one.element),
      nodes.element,
    ),
  );
  return {
    element: frame.element,
    /** @param {AbortSignal} signal */
    async refresh(signal) {
      try {
        const [answer, used] = await Promise.all(
          vitalsQuestions(app).map(([path, params]) => app.api.get(path, params, { signal })),
        );
        for (const [measure, one] of tiles) {
          one.set({
            value: answer.total[measure],
            previous: answer.compared?.total[measure] ?? null,
            values: answer.values[measure],
          });
        }
        nodes.set({ value: used.groups_total });
        notice.replaceChildren();
      } catch (error) {
        // What is broken is said above; that the signs are missing must not hide it.
        if (!isAbort(error)) notice.replaceChildren(errorState(error));
      }
    },
  };
}
