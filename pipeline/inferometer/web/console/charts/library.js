// @ts-check
/** Loads the charting library when the first chart needs it, once. */

/** @type {Promise<any> | null} */
let loading = null;

/** @returns {Promise<any>} ECharts */
export function library() {
  const address = new URL("../vendor/echarts.esm.min.js", import.meta.url).href;
  loading ??= import(address);
  return loading;
}
