// @ts-check
/** Windows long enough to see a course in: about fifty bars, where the server would answer 300. */

/** @import { App } from "../app.js" */

import { GRANULARITIES, instantOf } from "../shell/ranges.js";

const MOST_WINDOWS = 60;
const SHORTEST_S = 60;

/** Beyond it, only some lengths have roll-ups; the server knows which. */
const LONGEST_SPAN_S = 45 * 86_400;

/**
 * The granularity of the URL, else one for a few dozen windows, else the server's choice.
 * @param {App} app
 * @returns {string | null}
 */
export function windowLength(app) {
  const asked = app.state.get("granularity");
  if (asked) return asked;
  const now_ms = Date.now();
  const [from, to] = [app.state.from, app.state.to].map((text) =>
    instantOf(text, app.zone, now_ms)
  );
  const span_s = (to - from) / 1000;
  if (!(span_s > 0) || span_s > LONGEST_SPAN_S) return null;
  const fitting = GRANULARITIES.find(({ seconds }) =>
    seconds > 0 && span_s / seconds <= MOST_WINDOWS
  );
  return fitting && fitting.seconds >= SHORTEST_S ? fitting.value : null;
}
