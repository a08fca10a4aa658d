// @ts-check
/** Who was told what, and whether it arrived. */

/** @import { App } from "../app.js" */

import { h, replace } from "../components/dom.js";
import { table } from "../components/table.js";
import { formatInstant } from "../format.js";
import { createPart, rowsOf } from "./part.js";

/** @type {Record<string, string>} */
const OUTCOME_BADGES = {
  delivered: "badge-good",
  retry: "badge-warn",
  dead: "badge-bad",
  dropped: "",
};

/**
 * @param {App} app
 * @param {(incidentId: string) => void} onOpen
 * @param {() => void} onRetry
 */
export function notificationsPart(app, onOpen, onRetry) {
  const part = createPart({
    title: "Notifications",
    definition: "Every attempt to tell a receiver, in the chosen time range, the latest first.",
    onRetry,
  });
  const attempts = table({
    caption: "Attempts to tell receivers",
    columns: [
      {
        key: "at",
        label: "Time",
        isRowHeader: true,
        render: (row) => formatInstant(row.at, app.zone, { seconds: true }),
      },
      { key: "receiver", label: "Receiver" },
      { key: "transition", label: "Tells", value: (row) => row.transition.replaceAll("_", " ") },
      { key: "slo", label: "Objective", render: (row) => objective(row, onOpen) },
      {
        key: "outcome",
        label: "Outcome",
        definition:
          "Delivered; retry: tried again; dead: given up; dropped: decided not to send, for example because it was muted.",
        render: (row) => [
          h("span", { class: `badge ${OUTCOME_BADGES[row.outcome] ?? ""}` }, row.outcome),
          row.error && h("span", { class: "quiet" }, ` ${row.error}`),
        ],
      },
      { key: "http_status", label: "HTTP", align: "end" },
      { key: "duration_ms", label: "Took", unit: "ms" },
    ],
    sort: { key: "at", isDescending: true },
    rowKey: (row) => `${row.notification_id} ${row.attempt}`,
    maxRows: 12,
  });
  return {
    element: part.element,
    /** @param {Promise<any>} answer */
    load: (answer) =>
      part.load(answer, (body) => {
        const rows = rowsOf(body, "notifications");
        if (rows.length === 0) {
          replace(
            part.content,
            h("p", { class: "quiet alerts-none" }, "Nobody was told anything in this time range."),
          );
          return;
        }
        attempts.set(rows);
        if (attempts.element.parentElement !== part.content) {
          replace(part.content, attempts.element);
        }
      }),
  };
}

/**
 * @param {any} row
 * @param {(incidentId: string) => void} onOpen
 */
function objective(row, onOpen) {
  if (!row.slo) return h("span", { class: "quiet" }, "a trial");
  return h(
    "button",
    {
      class: "row-open",
      type: "button",
      "aria-label": `Explain the incident of ${row.slo}`,
      on: { click: () => onOpen(row.incident_id) },
    },
    row.slo,
  );
}
