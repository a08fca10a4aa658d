// @ts-check
/** Right now: requests of the last five minutes, each second, as events arrive. */

/** @import { App } from "../app.js" */

import { chart } from "../charts/chart.js";
import { h, setText } from "../components/dom.js";
import { formatCount, formatUsd } from "../format.js";
import { OTHER } from "../words.js";
import { LiveSeconds } from "./live_seconds.js";

const RATE_S = 10;
const MINUTE_S = 60;

/** A feed that has said nothing for so long is opened anew: the browser gives up on a refusal. */
const SILENT_MS = 15_000;

/** @param {App} app */
export function livePart(app) {
  const words = h("p", { class: "live-words", role: "note" }, "Connecting…");
  const course = chart({
    title: "Right now",
    definition:
      "Requests that ended in each of the last 300 seconds, whatever the span of the page. " +
      "The hatched seconds may still get late ones.",
    measure: { unit: "count" },
    kind: "bar",
    height: 120,
    isSynced: false,
    onZoom: (from, to) => app.state.set({ from, to }),
    actions: [words],
    class: "chart-low",
    emptyText: "Nothing has ended in the last five minutes",
  });
  const seconds = new LiveSeconds();
  const draw = () => {
    if (document.hidden) return;
    setText(words, wordsOf(seconds));
    course.set(dataOf(seconds));
  };
  /** @type {(() => void) | null} */
  let close = null;
  let asked = "";
  let heard_ms = 0;
  return {
    element: course.element,
    /** Follow the models and the workspace that the page is about. */
    follow() {
      const params = paramsOf(app);
      const key = JSON.stringify(params);
      const isAlive = performance.now() - heard_ms < SILENT_MS;
      if (key === asked && isAlive) return;
      asked = key;
      heard_ms = performance.now();
      close?.();
      close = app.api.live(params, {
        onSnapshot: (event) => {
          heard_ms = performance.now();
          seconds.restart(event);
          draw();
        },
        onSeconds: (event) => {
          heard_ms = performance.now();
          seconds.take(event);
          draw();
        },
        onProblem: (problem) => setText(words, `${problem.title}. ${problem.detail}`),
      });
    },
    destroy() {
      close?.();
      course.destroy();
    },
  };
}

/** @param {App} app */
function paramsOf(app) {
  const model = app.state.filters.find((one) => one.dimension === "model" && one.match === "=");
  return { workspace: app.state.workspace, model: model?.values ?? [] };
}

/** @param {LiveSeconds} seconds */
function wordsOf(seconds) {
  const rate = seconds.sum("requests", RATE_S) / RATE_S;
  const failures = seconds.sum("failures", MINUTE_S);
  const cost = seconds.sum("cost_usd", MINUTE_S);
  return `${formatCount(rate)} requests/s · ${formatCount(failures)} ${
    failures === 1 ? "failure" : "failures"
  } and ${formatUsd(cost)} in the last minute`;
}

/** @param {LiveSeconds} seconds */
function dataOf(seconds) {
  const starts = seconds.seconds;
  return {
    windows: starts,
    windowEnds: starts.map((start) => new Date(Date.parse(start) + 1000).toISOString()),
    isFinal: starts.map((start) => seconds.isFinal(start)),
    unit: "count",
    series: seconds.models.map((model) => ({
      key: model,
      label: model === OTHER ? "All others" : model,
      values: seconds.values("requests", model),
      dimension: "model",
      value: model,
      isOther: model === OTHER,
      filters: model === OTHER
        ? []
        : [{ dimension: "model", match: /** @type {const} */ ("="), values: [model] }],
    })),
  };
}
