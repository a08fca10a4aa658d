// @ts-check
/** Loads the charting library when the first chart needs it, once. */

/** @type {Promise<any> | null} */
let loading = null;

let failures = 0;

/** @returns {Promise<any>} ECharts; rejects where it does not come, and is asked for anew then */
export function library() {
  loading ??= load();
  return loading;
}

async function load() {
  const address = new URL("../vendor/echarts.esm.min.js", import.meta.url);
  // A browser may remember that an address failed.
  if (failures > 0) address.searchParams.set("again", String(failures));
  try {
    return await import(address.href);
  } catch (error) {
    failures += 1;
    loading = null;
    throw error;
  }
}
