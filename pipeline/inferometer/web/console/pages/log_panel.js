// @ts-check
/**
 * The side panel of one request: every attempt, as a list or as JSON. Which request is open stands
 * in the URL, so a link opens it and "back" closes it. Its frame stays while its content changes,
 * so that stepping through rows keeps the focus.
 */

/** @import { App } from "../app.js" */
/** @import { LogRow } from "./log_table.js" */

import { h, icon, replace, setText } from "../components/dom.js";
import { segmented } from "../components/select.js";
import { openSidePanel } from "../components/side_panel.js";
import { errorState, skeleton } from "../components/states.js";
import { copyButton } from "./clipboard.js";
import { jsonView } from "./json_view.js";
import { attemptList, detailList } from "./log_detail.js";

const CLOSED = { request: null, event: null, form: null, all_fields: null };

/** @param {App} app */
export function logPanel(app) {
  return new LogPanel(app);
}

class LogPanel {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    /** @type {ReturnType<typeof openSidePanel> | null} */
    this.panel = null;
    this.request = "";
    this.drawn = "";
    /** @type {Record<string, any>[]} */
    this.attempts = [];
    /** @type {LogRow[]} */
    this.rows = [];
    this.id = h("span", { class: "mono log-panel-id" });
    this.newer = stepButton("back", "Newer row (k)", () => this.move(-1));
    this.older = stepButton("forward", "Older row (j)", () => this.move(1));
    this.list = h("div");
    this.content = h("div");
    this.form = segmented({
      label: "Form of the details",
      options: [{ value: "list", label: "List" }, { value: "json", label: "JSON" }],
      value: "list",
      onChange: (value) =>
        app.state.set({ form: value === "json" ? value : null }, { replace: true }),
    });
    this.body = h("div", { class: "log-panel" }, this.frame());
    /** @param {KeyboardEvent} event */
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
  }

  frame() {
    return [
      h(
        "div",
        { class: "log-panel-head" },
        this.id,
        copyButton(this.app, "Copy request ID", () => this.request),
        h("span", { class: "row log-panel-steps" }, this.newer, this.older),
      ),
      this.list,
      h(
        "div",
        { class: "row log-panel-bar" },
        this.form.element,
        copyButton(this.app, "Copy JSON", () => JSON.stringify(this.asJson(), null, 2)),
        copyButton(this.app, "Copy link", () => location.href),
      ),
      this.content,
    ];
  }

  /** @param {LogRow} row */
  open(row) {
    this.app.state.set({ request: row.request_id, event: row.event_id });
  }

  /**
   * The rows that "newer" and "older" step through.
   * @param {LogRow[]} rows
   */
  neighbours(rows) {
    this.rows = rows;
    this.updateSteps();
  }

  /** Show what the URL says. */
  follow() {
    const request = this.app.state.get("request");
    if (!request) {
      this.panel?.close();
      return;
    }
    this.panel ??= openSidePanel({
      title: "Request",
      body: this.body,
      onClose: () => this.closed(),
    });
    if (this.request === request) this.draw();
    else this.load(request);
  }

  closed() {
    this.panel = null;
    this.request = "";
    // Another page may own parameters of the same names.
    if (this.app.state.page === "logs" && this.app.state.get("request")) this.app.state.set(CLOSED);
  }

  /** @param {string} request */
  async load(request) {
    this.request = request;
    this.attempts = [];
    this.drawn = "";
    setText(this.id, request);
    this.updateSteps();
    replace(this.list);
    replace(this.content, skeleton("table"));
    const { workspace } = this.app.state;
    try {
      const answer = await this.app.api.get(
        `/requests/${encodeURIComponent(request)}`,
        workspace ? { workspace } : {},
      );
      if (this.request !== request) return;
      this.attempts = answer.attempts;
      this.draw();
    } catch (error) {
      if (this.request !== request) return;
      replace(this.content, errorState(error, () => this.load(request)));
    }
  }

  draw() {
    this.updateSteps();
    const { app, attempts } = this;
    if (attempts.length === 0) return;
    const isJson = app.state.get("form") === "json";
    this.form.set(isJson ? "json" : "list");
    const attempt = this.chosen();
    const key = [attempt.event_id, isJson, app.state.get("all_fields"), app.zone].join("|");
    if (key === this.drawn) return;
    this.drawn = key;
    const hadFocus = this.list.contains(document.activeElement);
    replace(this.list, attempts.length > 1 && attemptList(app, attempts, attempt));
    replace(this.content, isJson ? jsonView(this.asJson()) : detailList(app, attempt));
    if (hadFocus) {
      /** @type {HTMLElement | null} */ (this.list.querySelector("[aria-current]"))?.focus();
    }
  }

  /**
   * The attempt that was opened, else the one that the caller got.
   * @returns {Record<string, any>}
   */
  chosen() {
    const event = this.app.state.get("event");
    return this.attempts.find((one) => one.event_id === event) ??
      this.attempts.find((one) => one.is_final) ?? this.attempts[0];
  }

  asJson() {
    return this.attempts.length > 1 ? this.attempts : this.attempts[0];
  }

  /**
   * @param {number} by
   * @returns {LogRow | undefined}
   */
  neighbour(by) {
    const event = this.app.state.get("event");
    const at = this.rows.findIndex((row) =>
      event ? row.event_id === event : row.request_id === this.request
    );
    return at < 0 ? undefined : this.rows[at + by];
  }

  updateSteps() {
    this.newer.disabled = this.neighbour(-1) === undefined;
    this.older.disabled = this.neighbour(1) === undefined;
  }

  /** @param {number} by */
  move(by) {
    const row = this.neighbour(by);
    if (row === undefined) return;
    // A step is no page of its own: "back" leaves the panel, not each row.
    this.app.state.set({ request: row.request_id, event: row.event_id }, { replace: true });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (this.panel === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest?.("input, textarea, select, dialog, [contenteditable]")) return;
    if (event.key === "j") this.move(1);
    if (event.key === "k") this.move(-1);
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
    this.panel?.close();
  }
}

/**
 * @param {string} name
 * @param {string} label
 * @param {() => void} click
 * @returns {HTMLButtonElement}
 */
function stepButton(name, label, click) {
  return h("button", {
    class: "button button-quiet button-icon",
    type: "button",
    "aria-label": label,
    title: label,
    on: { click },
  }, icon(name));
}
