// @ts-check
/** What a page says about a span without requests, and where to go from there. */

/** @import { App } from "../app.js" */

import { emptyState } from "../components/states.js";

/**
 * @param {App} app
 * @returns {HTMLElement}
 */
export function emptySpan(app) {
  const isFiltered = app.state.filters.length > 0;
  return emptyState({
    title: "No requests in this span",
    text: isFiltered
      ? "Nothing matches these filters. Remove one, or look at a longer span."
      : "Nothing ended in it. Look at a longer span, or check that events arrive on the Pipeline page.",
    actions: [
      { label: "Last 30 days", onClick: () => app.state.set({ from: "now-30d", to: null }) },
      isFiltered
        ? { label: "Clear filters", onClick: () => app.state.setFilters([]) }
        : { label: "Open Pipeline", href: app.href("pipeline") },
    ],
  });
}
