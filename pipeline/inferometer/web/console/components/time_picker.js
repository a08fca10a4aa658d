// @ts-check
/** The time range: presets, ends by wall clock, the zone, and steps back, forward and out. */

import { formatInstant } from "../format.js";
import {
  DEFAULT_TO,
  instantOf,
  isZone,
  PRESETS,
  rangeLabel,
  zoneOffsetLabel,
} from "../shell/ranges.js";
import { h, icon, replace, setText } from "./dom.js";
import { popover } from "./popover.js";
import { select } from "./select.js";
import { iconButton } from "./table.js";

const REFRESHES = [
  { value: "", label: "Automatic" },
  { value: "off", label: "Off" },
  { value: "5s", label: "Every 5 s" },
  { value: "10s", label: "Every 10 s" },
  { value: "30s", label: "Every 30 s" },
  { value: "60s", label: "Every minute" },
];

export class TimePicker {
  /** @param {import("../app.js").App} app */
  constructor(app) {
    this.app = app;
    this.label = h("span", { class: "time-label" });
    this.zone = h("span", { class: "time-zone quiet" });
    this.button = h(
      "button",
      { class: "button time-button", type: "button", title: "Time range (t)" },
      icon("clock"),
      this.label,
      this.zone,
    );
    const box = h("span", {}, this.button);
    this.element = h(
      "div",
      { class: "row time-picker" },
      iconButton("back", "Earlier: shift the range back", () => this.shift(-1)),
      box,
      iconButton("forward", "Later: shift the range forward", () => this.shift(1)),
      iconButton("zoomOut", "Zoom out (z)", () => this.zoomOut()),
      iconButton("refresh", "Refresh now (r)", () => app.refresh()),
    );
    this.panel = popover(this.button, {
      label: "Time range",
      class: "time-panel",
      onOpen: (panel) => this.#draw(panel),
    });
  }

  open() {
    if (!this.element.hidden) this.panel.open();
  }

  update() {
    const { state, page, zone } = this.app;
    this.element.hidden = page?.controls.range === false;
    setText(this.label, rangeLabel(state.from, state.to, zone, Date.now()));
    setText(this.zone, zone);
  }

  /** The ends as instants; null where the URL has none. */
  #span() {
    const { state, zone } = this.app;
    const now_ms = Date.now();
    const start = instantOf(state.from, zone, now_ms);
    const end = instantOf(state.to, zone, now_ms);
    return Number.isNaN(start) || Number.isNaN(end) || end <= start ? null : { start, end };
  }

  /** @param {1 | -1} direction */
  shift(direction) {
    const span = this.#span();
    if (!span) return;
    const length = span.end - span.start;
    const end = Math.min(span.end + direction * length, Date.now());
    this.#setInstants(end - length, end);
  }

  zoomOut() {
    const span = this.#span();
    if (!span) return;
    const half = (span.end - span.start) / 2;
    const end = Math.min(span.end + half, Date.now());
    this.#setInstants(end - 4 * half, end);
  }

  /**
   * @param {number} start
   * @param {number} end
   */
  #setInstants(start, end) {
    this.app.state.set({
      from: new Date(start).toISOString(),
      to: new Date(end).toISOString(),
      granularity: null,
    });
  }

  /** @param {HTMLElement} panel */
  #draw(panel) {
    replace(
      panel,
      h(
        "div",
        { class: "time-columns" },
        h(
          "div",
          { class: "time-presets", role: "group", "aria-label": "Presets" },
          this.#presets(),
        ),
        h("div", { class: "stack" }, this.#absolute(), this.#zones(), this.#refreshes()),
      ),
    );
  }

  #presets() {
    const { state } = this.app;
    return PRESETS.map(({ from, to, label }) =>
      h(
        "button",
        {
          class: "menu-item",
          type: "button",
          "aria-pressed": String(state.from === from && state.to === to),
          on: {
            click: () => {
              this.panel.close();
              state.set({ from, to: to === DEFAULT_TO ? null : to, granularity: null });
            },
          },
        },
        label,
      )
    );
  }

  #absolute() {
    const span = this.#span();
    const { zone } = this.app;
    const text = (/** @type {number | undefined} */ at) =>
      at === undefined ? "" : formatInstant(at, zone).replace(" ", "T");
    const input = (/** @type {string} */ value) =>
      h("input", { type: "datetime-local", class: "input", required: true, value, step: 60 });
    const from = input(text(span?.start));
    const to = input(text(span?.end));
    const problem = h("p", { class: "bad-text", role: "alert" });
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      if (from.value >= to.value) {
        replace(problem, "The start must be before the end.");
        return;
      }
      this.panel.close();
      // Wall clock texts, which the server reads in the URL's zone.
      this.app.state.set({ from: from.value, to: to.value, granularity: null });
    };
    return h(
      "form",
      { class: "stack", on: { submit } },
      h("label", { class: "field" }, h("span", { class: "field-label" }, `From (${zone})`), from),
      h("label", { class: "field" }, h("span", { class: "field-label" }, `To (${zone})`), to),
      problem,
      h("div", { class: "row" }, h("button", { class: "button button-primary" }, "Apply")),
    );
  }

  #zones() {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const { state } = this.app;
    const known = [...new Set(["UTC", own, state.zone, ...Intl.supportedValuesOf("timeZone")])];
    return select({
      label: "Time zone",
      value: state.zone,
      options: known.filter(isZone).map((zone) => ({
        value: zone,
        label: zone === own ? `${zone} (this browser)` : zone,
      })),
      onChange: (zone) => state.set({ time_zone: zone === "UTC" ? null : zone }),
    }).element;
  }

  #refreshes() {
    const { state } = this.app;
    const list = select({
      label: "Refresh",
      options: REFRESHES,
      value: state.get("refresh"),
      onChange: (refresh) => state.set({ refresh }),
    });
    const offset = zoneOffsetLabel(this.app.zone, Date.now());
    return h(
      "div",
      { class: "stack" },
      list.element,
      h("p", { class: "quiet small" }, `Now ${offset}`),
    );
  }
}
