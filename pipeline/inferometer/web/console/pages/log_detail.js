// @ts-check
/** One attempt as a list: where its time went, then every field in sections. */

/** @import { App } from "../app.js" */
/** @import { FieldUnit, LogField } from "./log_fields.js" */

import { term } from "../components/definition.js";
import { h, icon } from "../components/dom.js";
import {
  formatBytes,
  formatCount,
  formatDuration_ms,
  formatInstant,
  formatSpan_s,
  formatUsd,
} from "../format.js";
import { withFilter, writeFilter } from "../shell/filters.js";
import { arrange } from "./log_fields.js";
import { statusBadge } from "./status_badge.js";

/** Columns whose value can become a filter of the page. */
const FILTERABLE = new Set([
  "model",
  "model_version",
  "virtual_model",
  "provider",
  "region",
  "user_id",
  "virtual_account_id",
  "environment",
  "error_type",
  "feature",
  "node_id",
  "gpu_type",
  "operation",
  "traffic_class",
]);

/**
 * All attempts of the request, to choose one.
 * @param {App} app
 * @param {Record<string, any>[]} attempts
 * @param {Record<string, any>} chosen
 * @returns {HTMLElement}
 */
export function attemptList(app, attempts, chosen) {
  return h(
    "ol",
    { class: "log-attempts", "aria-label": "Attempts" },
    attempts.map((attempt) =>
      h(
        "li",
        {},
        h(
          "button",
          {
            class: "log-attempt",
            type: "button",
            "aria-current": attempt === chosen ? "true" : null,
            on: { click: () => app.state.set({ event: attempt.event_id }, { replace: true }) },
          },
          h("span", { class: "num" }, `#${attempt.attempt_no}`),
          statusBadge(attempt.status_code, attempt.status_class),
          h("span", { class: "log-attempt-model" }, attempt.model),
          h("span", { class: "num quiet" }, formatDuration_ms(numberOf(attempt.e2e_ms))),
          attempt.is_final && h("span", { class: "badge" }, "final"),
        ),
      )
    ),
  );
}

/**
 * @param {App} app
 * @param {Record<string, any>} attempt
 * @returns {HTMLElement}
 */
export function detailList(app, attempt) {
  const withEmpty = app.state.get("all_fields") === "true";
  const { sections, empty } = arrange(withTotal(attempt), withEmpty);
  const toggle = () => app.state.set({ all_fields: withEmpty ? null : "true" }, { replace: true });
  return h(
    "div",
    { class: "log-detail" },
    timeline(attempt),
    sections.map(({ title, entries }) =>
      h(
        "section",
        {},
        h("h3", {}, title),
        h(
          "dl",
          { class: "log-fields" },
          entries.map(({ field, value }) => [
            h("dt", {}, term(field.label, field.definition)),
            h(
              "dd",
              {},
              valueNode(app, field, value, attempt),
              filterLink(app, field.column, value),
            ),
          ]).flat(),
        ),
      )
    ),
    empty > 0 && h(
      "button",
      { class: "button button-quiet", type: "button", on: { click: toggle } },
      withEmpty ? "Hide empty fields" : `Show ${empty} empty fields`,
    ),
  );
}

/**
 * @param {Record<string, any>} attempt
 * @returns {Record<string, any>}
 */
function withTotal(attempt) {
  const total = Number(attempt.input_tokens ?? 0) + Number(attempt.output_tokens ?? 0);
  return { total_tokens: total, ...attempt };
}

/**
 * Queue, first token and generation as lengths of one bar.
 * @param {Record<string, any>} attempt
 * @returns {HTMLElement | null}
 */
function timeline(attempt) {
  const e2e = numberOf(attempt.e2e_ms);
  const ttft = numberOf(attempt.ttft_ms);
  if (e2e === null || ttft === null || e2e <= 0 || ttft > e2e) return null;
  const queue = Math.min(numberOf(attempt.queue_ms) ?? 0, ttft);
  const parts = /** @type {[string, number, string][]} */ ([
    ["Queue", queue, "log-time-queue"],
    ["To the first token", ttft - queue, "log-time-first"],
    ["Generation", e2e - ttft, "log-time-rest"],
  ]).filter(([, amount]) => amount > 0);
  return h(
    "figure",
    { class: "log-timeline" },
    h(
      "div",
      { class: "log-time-bar", "aria-hidden": "true" },
      parts.map(([, amount, name]) => {
        const part = h("span", { class: name });
        part.style.flexGrow = String(amount);
        return part;
      }),
    ),
    h(
      "figcaption",
      { class: "row quiet" },
      parts.map(([label, amount, name]) =>
        h(
          "span",
          {},
          h("i", { class: `log-time-key ${name}` }),
          ` ${label} `,
          h("span", { class: "num" }, formatDuration_ms(amount)),
        )
      ),
    ),
  );
}

/**
 * @param {App} app
 * @param {LogField} field
 * @param {unknown} value
 * @param {Record<string, any>} attempt
 * @returns {Node | string}
 */
function valueNode(app, field, value, attempt) {
  if (field.column === "status_code") return statusBadge(Number(value), attempt.status_class);
  if (field.unit === "map" && value !== null && typeof value === "object") {
    return metadata(app, /** @type {Record<string, unknown>} */ (value));
  }
  if (field.unit === "id") return h("span", { class: "mono" }, String(value ?? "–") || "–");
  const text = valueText(app, field.unit, value);
  return field.unit === "text" || field.unit === "bool" ? text : h("span", { class: "num" }, text);
}

/**
 * @param {App} app
 * @param {FieldUnit} unit
 * @param {unknown} value
 * @returns {string}
 */
function valueText(app, unit, value) {
  if (value === null || value === undefined || value === "") return "–";
  if (Array.isArray(value)) return value.join(", ") || "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "object") return JSON.stringify(value);
  switch (unit) {
    case "tokens":
    case "count":
      return formatCount(Number(value), { isLong: true });
    case "ms":
      return formatDuration_ms(Number(value));
    case "s":
      return formatSpan_s(Number(value));
    case "bytes":
      return formatBytes(Number(value));
    case "usd":
      return formatUsd(Number(value), { isLong: true });
    case "instant":
      return formatInstant(String(value), app.zone, { milliseconds: true });
    default:
      return String(value);
  }
}

/**
 * @param {App} app
 * @param {Record<string, unknown>} entries
 * @returns {HTMLElement}
 */
function metadata(app, entries) {
  return h(
    "ul",
    { class: "log-metadata" },
    Object.entries(entries).map(([name, value]) =>
      h(
        "li",
        {},
        h("span", { class: "mono" }, `${name}=${value}`),
        onlyLink(app, `metadata.${name}`, String(value)),
      )
    ),
  );
}

/**
 * @param {App} app
 * @param {string} column
 * @param {unknown} value
 * @returns {HTMLElement | null}
 */
function filterLink(app, column, value) {
  if (!FILTERABLE.has(column) || !value) return null;
  return onlyLink(app, column, String(value));
}

/**
 * @param {App} app
 * @param {string} dimension
 * @param {string} value
 * @returns {HTMLElement}
 */
function onlyLink(app, dimension, value) {
  const filters = withFilter(app.state.filters, { dimension, match: "=", values: [value] });
  const label = `Only ${app.dimensionLabel(dimension)} ${value}`;
  return h("a", {
    class: "log-only",
    href: app.href("logs", { filter: filters.map(writeFilter) }),
    "aria-label": label,
    title: label,
  }, icon("filter"));
}

/**
 * @param {unknown} value
 * @returns {number | null}
 */
function numberOf(value) {
  return value === null || value === undefined || value === "" ? null : Number(value);
}
