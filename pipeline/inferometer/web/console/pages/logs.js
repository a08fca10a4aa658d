// @ts-check
/** Logs: single requests, searched, read in full and taken away as a file. */

/** @import { App } from "../app.js" */
/** @import { Page, Question } from "../types.js" */
/** @import { LogRow } from "./log_table.js" */

import { chart } from "../charts/chart.js";
import { seriesOf } from "../charts/from_answer.js";
import { h, icon, refill, replace, setText } from "../components/dom.js";
import { emptyState, skeleton } from "../components/states.js";
import { formatCount, formatInstant } from "../format.js";
import { STATUS_CLASSES } from "../words.js";
import { openLogExport } from "./log_export.js";
import { logFilters } from "./log_filters.js";
import { logPanel } from "./log_panel.js";
import {
  isNarrowed,
  NO_CONDITIONS,
  PAGE_ROWS,
  questionKey,
  rowConditions,
  volumeQuery,
} from "./log_query.js";
import { columnMenu, moreColumns } from "./column_menu.js";
import { logTable } from "./log_table.js";
import { isAbort } from "./part.js";

/**
 * @typedef {object} LogAnswer
 * @property {LogRow[]} rows
 * @property {string | null} next_cursor
 * @property {number} row_count
 * @property {boolean} row_count_is_lower_bound
 * @property {import("../types.js").Coverage} coverage
 * @property {import("../types.js").Freshness} freshness
 * @property {number} kept_days
 */

/** @type {Page} */
export const page = {
  name: "logs",
  title: "Logs",
  hasCharts: true,
  controls: {
    range: true,
    refresh: true,
    filters: ["user_id", "team_id", "virtual_model", "error_type", "region", "environment"],
  },
  first(app) {
    const volume = volumeQuery(app);
    return [rowsQuestion(app), ...(volume === null ? [] : [volumeQuestion(volume)])];
  },
  create(root, app) {
    const view = new LogsView(root, app);
    return { refresh: (signal) => view.refresh(signal), destroy: () => view.destroy() };
  },
};

/**
 * @param {App} app
 * @returns {Question}
 */
function rowsQuestion(app) {
  const cursor = app.state.get("cursor") || null;
  return ["/requests", app.query({ ...rowConditions(app), limit: PAGE_ROWS, cursor })];
}

/**
 * @param {URLSearchParams} query
 * @returns {Question}
 */
function volumeQuestion(query) {
  return ["/metrics", query];
}

class LogsView {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    this.filters = logFilters(app);
    this.volume = chart({
      title: "Attempts by status",
      measure: "attempts",
      kind: "bar",
      height: 120,
      class: "chart-low",
    });
    this.count = h("p", { class: "logs-count", role: "status" });
    this.columns = columnMenu(app);
    this.exporting = h(
      "button",
      { class: "button", type: "button", on: { click: () => openLogExport(app) } },
      icon("export"),
      "Export",
    );
    this.place = h("div", { class: "card logs-rows" }, skeleton("table"));
    this.pager = buildPager(app);
    this.panel = logPanel(app);
    /** @type {ReturnType<typeof logTable> | null} */
    this.table = null;
    this.tableColumns = "";
    this.question = "";
    /** What was asked last, what the rows on the screen answer, and the URL of then. */
    this.asked = "";
    this.shown = "";
    this.address = "";
    root.append(
      this.filters.element,
      this.volume.element,
      h("div", { class: "logs-bar" }, this.count, this.columns, this.exporting),
      this.place,
      this.pager.element,
    );
  }

  /** @param {AbortSignal} signal */
  async refresh(signal) {
    const { app } = this;
    this.filters.set();
    this.panel.follow();
    const question = questionKey(app);
    if (this.question && this.question !== question && app.state.get("cursor")) {
      // A page of another question means nothing: begin at its newest row.
      this.question = question;
      app.state.set({ cursor: null }, { replace: true });
      return;
    }
    this.question = question;
    if (this.isPanelOnly(question)) return;
    const volume = this.refreshVolume(signal);
    const answer = await app.api.get(...rowsQuestion(app), { signal });
    this.show(answer);
    await volume;
  }

  /**
   * Whether the URL changed in what the rows do not depend on: opening one asks nothing anew.
   * @param {string} question
   */
  isPanelOnly(question) {
    const rows = [question, this.app.state.get("cursor"), moreColumns(this.app), this.app.zone]
      .join("|");
    const isSame = this.shown === rows && this.address !== location.search;
    this.address = location.search;
    this.asked = rows;
    return isSame;
  }

  /** @param {AbortSignal} signal */
  async refreshVolume(signal) {
    const query = volumeQuery(this.app);
    this.volume.element.hidden = query === null;
    if (query === null) return;
    try {
      const answer = await this.app.api.get(...volumeQuestion(query), { signal });
      this.volume.element.hidden = answer.total[query.get("measure") ?? ""] === 0;
      this.volume.set(byStatus(seriesOf(answer, query.get("measure") ?? "")));
    } catch (error) {
      // The rows matter; a chart that cannot be drawn beside them is left out.
      if (!isAbort(error)) this.volume.element.hidden = true;
    }
  }

  /** @param {LogAnswer} answer */
  show(answer) {
    const { app } = this;
    this.shown = this.asked;
    app.noteAnswer({ freshness: answer.freshness, coverage: answer.coverage });
    setText(this.count, countText(app, answer));
    this.panel.neighbours(answer.rows);
    this.pager.set(answer.next_cursor);
    if (answer.rows.length === 0) {
      this.table = null;
      refill(this.place, nothingFound(app, answer.kept_days));
      return;
    }
    const columns = `${moreColumns(app).join(",")} ${app.zone}`;
    if (this.table === null || this.tableColumns !== columns) {
      this.table = logTable(app, moreColumns(app), (row) => this.panel.open(row));
      this.tableColumns = columns;
      replace(this.place, this.table.element);
    }
    this.table.set(answer.rows);
  }

  destroy() {
    this.panel.destroy();
    this.volume.destroy();
  }
}

/**
 * @param {App} app
 * @param {LogAnswer} answer
 * @returns {string}
 */
function countText(app, answer) {
  const atLeast = answer.row_count_is_lower_bound ? "More than " : "";
  const what = answer.row_count === 1 ? "attempt" : "attempts";
  const since = answer.coverage.is_whole
    ? ""
    : ` since ${formatInstant(answer.coverage.from, app.zone)}`;
  return `${atLeast}${
    formatCount(answer.row_count, { isLong: true })
  } ${what}${since}, newest first · ` +
    `kept ${answer.kept_days} days`;
}

/** @param {App} app */
function buildPager(app) {
  /** Which page a page was reached from, so that "Newer" goes back; a shared link knows none. */
  const before = new Map();
  const newest = pagerButton("Newest", () => app.state.set({ cursor: null }));
  const newer = pagerButton("Newer", () => {
    app.state.set({ cursor: before.get(app.state.get("cursor")) || null });
  });
  const older = pagerButton("Older", () => {
    if (!next) return;
    before.set(next, app.state.get("cursor"));
    app.state.set({ cursor: next });
  });
  /** @type {string | null} */
  let next = null;
  const element = h(
    "nav",
    { class: "logs-pager", "aria-label": "Pages of rows" },
    newest,
    newer,
    older,
  );
  return {
    element,
    /** @param {string | null} cursor */
    set(cursor) {
      next = cursor;
      const here = app.state.get("cursor");
      newest.disabled = !here;
      newer.disabled = !before.has(here);
      older.disabled = next === null;
      element.hidden = !here && next === null;
    },
  };
}

/**
 * @param {string} label
 * @param {() => void} click
 * @returns {HTMLButtonElement}
 */
function pagerButton(label, click) {
  return /** @type {HTMLButtonElement} */ (
    h("button", { class: "button", type: "button", on: { click } }, label)
  );
}

/**
 * @param {App} app
 * @param {number} keptDays
 * @returns {HTMLElement}
 */
function nothingFound(app, keptDays) {
  const id = app.state.get("request_id");
  const whole = {
    label: `Search all ${keptDays} days`,
    onClick: () => app.state.set({ from: `now-${keptDays}d`, to: null }),
  };
  if (id) {
    return emptyState({
      title: "No such request in this span",
      text:
        `“${id}” is compared as a whole id. Check that it is complete, drop other filters, or look further back.`,
      actions: [whole, { label: "Clear the search", onClick: () => app.state.set(NO_CONDITIONS) }],
    });
  }
  if (isNarrowed(app)) {
    return emptyState({
      title: "No rows match",
      text: "Try different values, fewer filters, or a longer span.",
      actions: [{ label: "Clear all filters", onClick: () => app.state.set(NO_CONDITIONS) }, whole],
    });
  }
  return emptyState({
    title: "No requests in this span",
    text:
      `Rows are kept ${keptDays} days. Look further back, or check on the Pipeline page that events arrive.`,
    actions: [whole, { label: "Open Pipeline", href: app.href("pipeline") }],
  });
}

/**
 * Stacked in the order of the classes, so that failures stand on the successes.
 * @param {import("../types.js").ChartData} data
 */
function byStatus(data) {
  /** @param {{value?: string}} series */
  const place = (series) => STATUS_CLASSES.indexOf(series.value ?? "");
  return { ...data, series: data.series.toSorted((a, b) => place(a) - place(b)) };
}
