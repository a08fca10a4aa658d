// @ts-check
/**
 * Colours of series. A value has the same colour on every page and at every visit: it is a function
 * of (dimension, value), moved on only where a neighbour on the screen took that colour before.
 * The hues are those that colour-blind readers tell apart; status and token classes have fixed ones.
 */

export const COLORS = 10;
const REMEMBERED = "inferometer.colors";
const MOST_REMEMBERED = 400;

/** @type {Record<string, string>} by status class */
export const STATUS_COLORS = {
  "2xx": "--status-2xx",
  "4xx": "--status-4xx",
  "429": "--status-429",
  "499": "--status-499",
  "5xx": "--status-5xx",
  other: "--status-other",
};

/** @type {Record<string, string>} by measure of tokens */
export const TOKEN_COLORS = {
  uncached_input_tokens: "--series-0",
  cache_read_tokens: "--series-5",
  cache_write_5m_tokens: "--series-6",
  cache_write_1h_tokens: "--series-8",
  image_input_tokens: "--series-7",
  audio_input_tokens: "--series-9",
  video_input_tokens: "--series-3",
  text_output_tokens: "--series-1",
  reasoning_tokens: "--series-4",
  audio_output_tokens: "--series-2",
  image_output_tokens: "--series-3",
  input_tokens: "--series-0",
  output_tokens: "--series-1",
};

/** @type {Map<string, number> | null} */
let assigned = null;

/** @returns {Map<string, number>} */
function book() {
  if (assigned) return assigned;
  try {
    assigned = new Map(Object.entries(JSON.parse(localStorage.getItem(REMEMBERED) ?? "{}")));
  } catch {
    assigned = new Map();
  }
  return assigned;
}

/**
 * FNV-1a: short, and spreads names that differ in a digit.
 * @param {string} text
 * @returns {number}
 */
export function hash(text) {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  }
  return (value ^ (value >>> 15)) >>> 0;
}

/**
 * The CSS variable of a value's colour.
 * @param {string} dimension
 * @param {string} value
 * @returns {string}
 */
export function colorOf(dimension, value) {
  if (dimension === "status_class" && STATUS_COLORS[value]) return STATUS_COLORS[value];
  if (dimension === "tokens" && TOKEN_COLORS[value]) return TOKEN_COLORS[value];
  const known = book();
  const key = `${dimension}=${value}`;
  let index = known.get(key);
  if (index === undefined) {
    index = freeIndex(known, dimension, hash(key) % COLORS);
    known.set(key, index);
    save(known);
  }
  return `--series-${index}`;
}

/**
 * Give each series that has none a colour of its own, as long as there are some left: two of one
 * chart never look alike. Who meets a neighbour of the same colour keeps the other one from then
 * on, once; later it is for that chart only, or charts with different neighbours would take turns.
 * @param {import("../types.js").ChartSeries[]} series
 * @returns {import("../types.js").ChartSeries[]}
 */
export function coloured(series) {
  const taken = new Set(series.map((one) => one.color));
  return series.map((one) => {
    if (one.color || one.isOther || one.dimension === undefined || one.value === undefined) {
      return one;
    }
    const color = colorBeside(one.dimension, one.value, taken);
    taken.add(color);
    return { ...one, color };
  });
}

/** @type {Set<string>} values that took another colour since the page was loaded */
const moved = new Set();

/**
 * @param {string} dimension
 * @param {string} value
 * @param {Set<string | undefined>} taken
 * @returns {string}
 */
function colorBeside(dimension, value, taken) {
  const color = colorOf(dimension, value);
  const key = `${dimension}=${value}`;
  const index = book().get(key);
  if (!taken.has(color) || index === undefined) return color;
  for (let step = 1; step < COLORS; step += 1) {
    const other = (index + step) % COLORS;
    if (taken.has(`--series-${other}`)) continue;
    if (!moved.has(key)) {
      moved.add(key);
      book().set(key, other);
      save(book());
    }
    return `--series-${other}`;
  }
  return color;
}

/**
 * The wanted colour, or the next that this dimension has used least.
 * @param {Map<string, number>} known
 * @param {string} dimension
 * @param {number} wanted
 */
function freeIndex(known, dimension, wanted) {
  const uses = new Array(COLORS).fill(0);
  for (const [key, index] of known) {
    if (key.startsWith(`${dimension}=`)) uses[index] += 1;
  }
  const least = Math.min(...uses);
  for (let step = 0; step < COLORS; step += 1) {
    const index = (wanted + step) % COLORS;
    if (uses[index] === least) return index;
  }
  return wanted;
}

/** @param {Map<string, number>} known */
function save(known) {
  while (known.size > MOST_REMEMBERED) {
    known.delete(/** @type {string} */ (known.keys().next().value));
  }
  try {
    localStorage.setItem(REMEMBERED, JSON.stringify(Object.fromEntries(known)));
  } catch {
    // Storage can be forbidden; colours are then stable for as long as the page lives.
  }
}

/**
 * Read a CSS variable as the canvas needs it.
 * @param {string} name
 * @returns {string}
 */
export function cssColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || name;
}
