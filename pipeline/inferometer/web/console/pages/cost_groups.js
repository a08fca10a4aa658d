// @ts-check
/** Spend by one dimension, or by component: its course, and a row for each value. */

/** @import { App } from "../app.js" */
/** @import { AnswerSeries, Filter, MetricsAnswer } from "../types.js" */
/** @import { GroupRow } from "./group_table.js" */

import { chart } from "../charts/chart.js";
import { seriesOf } from "../charts/from_answer.js";
import { h, replace, setText } from "../components/dom.js";
import { select } from "../components/select.js";
import { withFilter, writeFilter } from "../shell/filters.js";
import { groupTable } from "./group_table.js";
import { createPart, isAbort } from "./part.js";
import { spanQuery } from "./span_query.js";
import { windowLength } from "./window_lengths.js";

/** What a person calls the ways to split the spend; metadata keys come after them. */
const WAYS = [
  { value: "team_id", label: "Teams" },
  { value: "model", label: "Models" },
  { value: "component", label: "Components" },
  { value: "user_id", label: "Users" },
  { value: "virtual_account_id", label: "Virtual accounts" },
  { value: "virtual_model", label: "Virtual models" },
  { value: "provider", label: "Providers" },
  { value: "model_version", label: "Model versions" },
  { value: "region", label: "Regions" },
  { value: "environment", label: "Environments" },
  { value: "feature", label: "Features" },
];

/** @type {Record<string, string>} */
const COMPONENTS = {
  cost_input_usd: "Input",
  cost_output_usd: "Output",
  cost_cache_read_usd: "Cache read",
  cost_cache_write_usd: "Cache write",
  cost_reasoning_usd: "Reasoning",
  cost_other_usd: "Other units",
};

const GROUP_MEASURES = [
  "cost_usd",
  "requests",
  "total_tokens",
  "cost_per_1k_requests_usd",
  "cost_per_million_tokens_usd",
];

const TOP = 15;

/**
 * @param {App} app
 * @returns {string}
 */
export function costWay(app) {
  const asked = app.state.get("by", "team_id");
  return WAYS.some((way) => way.value === asked) || asked.startsWith("metadata.")
    ? asked
    : "team_id";
}

/**
 * @param {App} app
 * @param {HTMLElement} exporting a button for the head of the card
 * @param {() => void} onRetry
 */
export function costGroups(app, exporting, onRetry) {
  const chooser = select({
    label: "View by",
    isLabelHidden: true,
    options: WAYS,
    value: costWay(app),
    onChange: (value) => app.state.set({ by: value }),
  });
  const part = createPart({
    title: "Spend",
    definition:
      "Price cost: usage times the price book in force when each request ended. Full cost " +
      "(amortised machines and overhead) is another figure.",
    actions: [
      h("span", { class: "quiet", "aria-hidden": "true" }, "View by"),
      chooser.element,
      exporting,
    ],
    skeleton: "chart",
    onRetry,
  });
  const course = chart({ title: "Spend over time", measure: "cost_usd", kind: "bar", height: 260 });
  const rows = {
    groups: groupTable(app, true),
    components: groupTable(app, false),
  };
  const scope = h("p", { class: "quiet cost-hint cost-scope" });
  loadMetadataKeys(app, chooser);
  return {
    element: part.element,
    destroy: () => course.destroy(),
    /** @param {AbortSignal} signal */
    refresh(signal) {
      const way = costWay(app);
      chooser.set(way);
      const isSplit = way === "component";
      return part.load(app.api.get(...groupsQuestion(app), { signal }), (answer) => {
        const list = isSplit ? rows.components : rows.groups;
        if (!list.element.isConnected) {
          replace(part.content, course.element, list.element, scope);
        }
        setText(scope, answer.cost_scope);
        course.set(
          isSplit ? componentSeries(answer) : seriesOf(answer, "cost_usd", { noCompared: true }),
        );
        list.set(
          isSplit ? "Component" : app.dimensionLabel(way),
          isSplit ? componentRows(answer) : groupRows(app, answer, way),
          totalRow(answer, isSplit),
        );
      });
    },
  };
}

/**
 * @param {App} app
 * @returns {import("../types.js").Question}
 */
export function groupsQuestion(app) {
  const way = costWay(app);
  const granularity = windowLength(app);
  const question = way === "component"
    ? { measure: Object.keys(COMPONENTS) }
    : { measure: GROUP_MEASURES, group_by: way, top: TOP, order_by: "cost_usd" };
  return ["/metrics", app.query({ ...question, granularity, compare: "previous" })];
}

/**
 * @param {App} app
 * @param {{set: (chosen: string, offered: {value: string, label: string}[]) => void}} chooser
 */
async function loadMetadataKeys(app, chooser) {
  try {
    const answer = await app.api.get("/metadata-keys", spanQuery(app));
    const keys = /** @type {{value: string}[]} */ (answer.values);
    const found = keys.map(({ value }) => ({
      value: `metadata.${value}`,
      label: `Metadata: ${value}`,
    }));
    chooser.set(costWay(app), [...WAYS, ...found]);
  } catch (error) {
    // The ways without keys are enough to work with.
    if (!isAbort(error)) chooser.set(costWay(app), WAYS);
  }
}

/**
 * @param {App} app
 * @param {MetricsAnswer} answer
 * @param {string} way
 * @returns {GroupRow[]}
 */
function groupRows(app, answer, way) {
  const all = answer.total.cost_usd || 0;
  const before = new Map(
    (answer.compared?.series ?? []).map((series) => [series.label, series.total.cost_usd]),
  );
  return answer.series.map((series) => ({
    key: `${series.is_other ? "other" : "value"}:${series.label}`,
    label: series.is_other
      ? `All others (${answer.groups_total - answer.series.length + 1})`
      : nameOf(series, way),
    isOther: series.is_other,
    href: series.is_other
      ? null
      : narrowed(app, { dimension: way, match: "=", values: [series.group[way]] }),
    cost: series.total.cost_usd,
    before: before.get(series.label) ?? (answer.compared ? 0 : null),
    share: all > 0 ? (series.total.cost_usd ?? 0) / all : 0,
    total: series.total,
  }));
}

/**
 * @param {AnswerSeries} series
 * @param {string} way
 * @returns {string}
 */
function nameOf(series, way) {
  return series.group[way] || "(none)";
}

/**
 * The page narrowed to one value, split by what is worth knowing next.
 * @param {App} app
 * @param {Filter} filter
 * @returns {string}
 */
function narrowed(app, filter) {
  const next = filter.dimension === "model" ? "team_id" : "model";
  return app.href("cost", {
    by: next,
    filter: withFilter(app.state.filters, filter).map(writeFilter),
  });
}

/**
 * @param {MetricsAnswer} answer
 * @returns {GroupRow[]}
 */
function componentRows(answer) {
  const all = componentTotal(answer.total);
  return Object.entries(COMPONENTS).map(([measure, label]) => ({
    key: measure,
    label,
    href: null,
    isOther: false,
    cost: answer.total[measure],
    before: answer.compared?.total[measure] ?? null,
    share: all > 0 ? (answer.total[measure] ?? 0) / all : 0,
    total: {},
  }));
}

/**
 * @param {Record<string, number | null>} total
 * @returns {number}
 */
function componentTotal(total) {
  return Object.keys(COMPONENTS).reduce((sum, measure) => sum + (total[measure] ?? 0), 0);
}

/** @param {MetricsAnswer} answer */
function componentSeries(answer) {
  return {
    windows: answer.windows,
    windowEnds: answer.window_ends,
    isFinal: answer.is_final,
    unit: "usd",
    series: Object.entries(COMPONENTS).map(([measure, label], at) => ({
      key: measure,
      label,
      values: answer.values[measure],
      color: `--series-${at + 1}`,
    })),
  };
}

/**
 * @param {MetricsAnswer} answer
 * @param {boolean} isSplit
 * @returns {GroupRow}
 */
function totalRow(answer, isSplit) {
  const compared = answer.compared?.total;
  return {
    key: "total",
    label: "Total",
    href: null,
    isOther: false,
    cost: isSplit ? componentTotal(answer.total) : answer.total.cost_usd,
    before: compared ? (isSplit ? componentTotal(compared) : compared.cost_usd) : null,
    share: 1,
    total: answer.total,
  };
}
