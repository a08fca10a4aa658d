// @ts-check
/** Which pages there are, and their modules. */

/**
 * @typedef {object} PageEntry
 * @property {string} name first part of the path
 * @property {string} title
 * @property {string} [short] what fits below its icon, where that is not the title
 * @property {string} key opened by `g` and this key
 * @property {() => Promise<{page: import("../types.js").Page}>} load
 */

/** @type {PageEntry[]} */
export const PAGES = [
  { name: "overview", title: "Overview", key: "o", load: () => import("../pages/overview.js") },
  { name: "analytics", title: "Analytics", key: "a", load: () => import("../pages/analytics.js") },
  {
    name: "models",
    title: "Model Metrics",
    short: "Models",
    key: "m",
    load: () => import("../pages/models.js"),
  },
  { name: "logs", title: "Logs", key: "l", load: () => import("../pages/logs.js") },
  { name: "alerts", title: "Alerts", key: "e", load: () => import("../pages/alerts.js") },
  { name: "cost", title: "Cost", key: "c", load: () => import("../pages/cost.js") },
  { name: "pipeline", title: "Pipeline", key: "p", load: () => import("../pages/pipeline.js") },
  { name: "oncall", title: "On call", key: "n", load: () => import("../pages/oncall.js") },
];

/**
 * @param {string} name
 * @returns {PageEntry | undefined}
 */
export function pageNamed(name) {
  return PAGES.find((one) => one.name === name);
}
