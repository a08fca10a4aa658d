// @ts-check
/** Draws one chart a frame, so that numbers are on the screen first and no frame is long. */

/** @type {Set<() => void>} in the order in which they asked */
const waiting = new Set();
let isRunning = false;

/**
 * Run when it is its turn; who asks again before that waits once.
 * @param {() => void} draw
 */
export function inTurn(draw) {
  waiting.add(draw);
  if (isRunning) return;
  isRunning = true;
  requestAnimationFrame(next);
}

/** @returns {boolean} whether somebody else waits for a turn */
export function isAnyWaiting() {
  return waiting.size > 0;
}

function next() {
  const [draw] = waiting;
  waiting.delete(draw);
  isRunning = waiting.size > 0;
  if (isRunning) requestAnimationFrame(next);
  draw();
}
