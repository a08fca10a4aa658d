// @ts-check
/** Silences and maintenance windows: what is kept back, until when, by whom. */

/** @import { App } from "../app.js" */

import { openDialog } from "../components/dialog.js";
import { h, refill } from "../components/dom.js";
import { segmented } from "../components/select.js";
import { emptyState } from "../components/states.js";
import { formatInstant, formatSpan_s } from "../format.js";
import { matcherText, sentence } from "./incident_words.js";
import { maintenanceList } from "./maintenance_list.js";
import { muteLine } from "./mute_line.js";
import { createPart } from "./part.js";
import { openSilenceForm } from "./silence_form.js";

const SHOWN = 12;
/** @type {Record<string, string>} */
const STATE_BADGES = { active: "badge-warn", pending: "", expired: "" };

/**
 * @param {App} app
 * @param {() => void} onChange
 */
export function silencesPart(app, onChange) {
  const which = segmented({
    label: "Which silences",
    options: [{ value: "", label: "In force" }, { value: "expired", label: "Expired" }],
    value: app.state.get("silences"),
    onChange: (value) => app.state.set({ silences: value || null }),
  });
  const add = app.can("operator") && h(
    "button",
    {
      class: "button",
      type: "button",
      on: { click: () => openSilenceForm(app, null, onChange) },
    },
    "New silence…",
  );
  const part = createPart({
    title: "Silences and maintenance",
    definition:
      "Notices that meet every matcher of a silence are kept back while it is active. A " +
      "maintenance window is planned: it mutes, or keeps its time out of budgets, or both.",
    actions: add ? [which.element, add] : [which.element],
    onRetry: onChange,
  });
  return {
    element: part.element,
    /**
     * @param {Promise<any>} answer
     * @param {(active: number) => void} onCount
     */
    load: (answer, onCount) =>
      part.load(answer, (body) => {
        const rows = /** @type {any[]} */ (body.rows ?? []);
        onCount(rows.filter((one) => one.status.state === "active").length);
        if (add) add.hidden = body.is_configured === false;
        which.element.hidden = body.is_configured === false;
        which.set(app.state.get("silences"));
        const isExpired = app.state.get("silences") === "expired";
        const chosen = rows.filter((one) => (one.status.state === "expired") === isExpired);
        const windows = /** @type {any[]} */ (body.windows ?? []).filter((one) =>
          (one.status.state === "expired") === isExpired
        );
        refill(
          part.content,
          content(app, body, chosen, windows.length > 0, onChange),
          windows.length > 0 && maintenanceList(app, windows),
        );
      }),
  };
}

/**
 * @param {App} app
 * @param {any} body
 * @param {any[]} rows
 * @param {boolean} hasWindows
 * @param {() => void} onChange
 */
function content(app, body, rows, hasWindows, onChange) {
  if (body.is_configured === false) {
    return emptyState({ title: "Silences are not reached from here", text: sentence(body.reason) });
  }
  if (rows.length === 0) {
    const words = hasWindows ? "No silences." : "None. Every notice goes out.";
    return h("p", { class: "quiet alerts-none" }, words);
  }
  return h(
    "ul",
    { class: "silences" },
    rows.slice(0, SHOWN).map((one) => silence(app, one, onChange)),
    rows.length > SHOWN && h("li", { class: "quiet" }, `and ${rows.length - SHOWN} more`),
  );
}

/**
 * @param {App} app
 * @param {any} one
 * @param {() => void} onChange
 */
function silence(app, one, onChange) {
  const state = one.status.state;
  const ends = formatInstant(one.endsAt, app.zone, { seconds: false });
  const left_s = (Date.parse(one.endsAt) - Date.now()) / 1000;
  return muteLine(
    one.matchers,
    [
      state === "active" && `ends ${ends}, in ${formatSpan_s(left_s)}`,
      state === "pending" &&
      `begins ${formatInstant(one.startsAt, app.zone, { seconds: false })}`,
      state === "expired" && `ended ${ends}`,
      one.createdBy && `by ${one.createdBy}`,
      one.comment,
    ],
    h("span", { class: `badge ${STATE_BADGES[state]}` }, state),
    state !== "expired" && app.can("operator") && h(
      "button",
      {
        class: "button button-quiet",
        type: "button",
        dataset: { id: one.id },
        "aria-label": `End the silence ${one.matchers.map(matcherText).join(" ")}`,
        on: { click: () => confirmEnd(app, one, onChange) },
      },
      "End…",
    ),
  );
}

/**
 * @param {App} app
 * @param {any} one
 * @param {() => void} onChange
 */
function confirmEnd(app, one, onChange) {
  openDialog({
    title: "End this silence?",
    body: h(
      "p",
      {},
      "What still fires is told at once: ",
      h("code", { class: "mono" }, one.matchers.map(matcherText).join(", ")),
    ),
    actions: [
      { label: "Keep it" },
      {
        label: "End it now",
        kind: "danger",
        onClick: async (close) => {
          try {
            await app.api.delete(`/silences/${encodeURIComponent(one.id)}`);
            app.toast("The silence has ended", { kind: "good" });
          } catch (error) {
            app.toast(/** @type {Error} */ (error).message, { kind: "bad" });
          }
          close();
          onChange();
        },
      },
    ],
  });
}
