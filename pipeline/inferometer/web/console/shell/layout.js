// @ts-check
/** The frame around pages: navigation, title, range, filters, freshness, notes and problems. */

import { FilterBar } from "../components/filter_bar.js";
import { hideDefinition } from "../components/definition.js";
import { h, icon, refill, replace, setText } from "../components/dom.js";
import { TimePicker } from "../components/time_picker.js";
import { formatInstant, formatSpan_s } from "../format.js";
import { Notes } from "./notes.js";
import { AccountMenu } from "./account_menu.js";
import { openSearch } from "./search.js";

/** Behind by more than this, numbers at the right edge are worth a warning. */
const STALE_S = 120;

export class Layout {
  /** @param {import("../app.js").App} app */
  constructor(app) {
    this.app = app;
    this.title = h("h1", { class: "page-title", tabindex: "-1" });
    this.freshness = h("span", { class: "freshness", hidden: true });
    this.busy = h("div", { class: "busy-bar", hidden: true, "aria-hidden": "true" });
    this.notes = new Notes();
    this.problem = h("div", { class: "problem", hidden: true });
    this.main = h("main", { id: "main", dataset: { state: "loading" } });
    this.nav = h("div", { class: "nav" });
    this.picker = new TimePicker(app);
    this.filters = new FilterBar(app);
    this.account = new AccountMenu(app);
  }

  show() {
    const root = /** @type {HTMLElement} */ (document.getElementById("app"));
    replace(
      root,
      h("a", { class: "skip-link", href: "#main" }, "Skip to the content"),
      this.busy,
      h(
        "nav",
        { class: "sidebar", "aria-label": "Pages" },
        h("div", { class: "sidebar-inner" }, logo(), this.nav),
      ),
      h(
        "div",
        { class: "column" },
        h("header", { class: "topbar" }, this.title, this.freshness, this.#tools()),
        h(
          "section",
          { "aria-label": "Filters and notes" },
          this.filters.element,
          this.notes.element,
        ),
        this.main,
      ),
    );
    this.#drawNav();
  }

  #tools() {
    const search = h(
      "button",
      {
        class: "button search-button",
        type: "button",
        "aria-label": "Search pages, models and requests",
        on: { click: () => openSearch(this.app) },
      },
      icon("search"),
      h("span", { class: "search-words" }, "Search"),
      h("kbd", {}, "/"),
    );
    return h("div", { class: "row tools" }, search, this.picker.element, this.account.element);
  }

  #drawNav() {
    const current = this.app.state.page;
    replace(
      this.nav,
      this.app.pages.map(({ name, title, short = title }) =>
        h(
          "a",
          {
            class: "nav-link",
            href: this.app.href(name, {}, { keepFilters: name !== "pipeline" }),
            "aria-current": name === current ? "page" : null,
          },
          icon(name),
          h("span", { class: "nav-title" }, title),
          h("span", { class: "nav-short", "aria-hidden": "true" }, short),
        )
      ),
    );
  }

  /**
   * @param {import("./router.js").PageEntry} entry
   * @param {HTMLElement} root
   */
  setPage(entry, root) {
    hideDefinition();
    setText(this.title, entry.title);
    document.title = `${entry.title} · Inferometer`;
    this.main.dataset.page = entry.name;
    this.setState("loading");
    this.setProblem(null);
    this.freshness.hidden = true;
    replace(this.main, this.problem, root);
    // The first page is at its top already, and scrolling would have it laid out unfinished.
    if (this.root) scrollTo({ top: 0 });
    this.root = root;
    this.update();
  }

  /** Follow the URL. */
  update() {
    this.#drawNav();
    this.picker.update();
    this.filters.update();
    this.account.update();
  }

  /** After a change of page a screen reader says where it is. */
  focusTitle() {
    if (document.activeElement === document.body) this.title.focus({ preventScroll: true });
  }

  /** @param {"loading" | "ready" | "error" | "empty"} state */
  setState(state) {
    this.main.dataset.state = state;
  }

  /** @param {boolean} isBusy */
  setBusy(isBusy) {
    this.busy.hidden = !isBusy;
    this.main.setAttribute("aria-busy", String(isBusy));
  }

  /**
   * Show what went wrong, instead of the page or above what it showed before.
   * @param {HTMLElement | null} element
   * @param {boolean} [isInstead]
   */
  setProblem(element, isInstead = false) {
    this.problem.hidden = element === null;
    // Asked for again and again while it lasts: said once, and its button can be reached.
    refill(this.problem, element);
    this.problem.classList.toggle("problem-banner", element !== null && !isInstead);
    if (this.root) this.root.hidden = element !== null && isInstead;
  }

  clearNotes() {
    this.notes.set([]);
    this.freshness.hidden = true;
  }

  /**
   * Say how fresh an answer is, and what a reader should know about it.
   * @param {any} answer
   */
  noteAnswer({ freshness, coverage, notes = [], cost_scope = "", is_from_log: isFromLog = false }) {
    this.#setFreshness(freshness);
    const lines = [
      isFromLog && !notes.some((/** @type {string} */ one) => /\blog\b/i.test(one)) &&
      "Answered from the request log: no roll-up has these dimensions.",
      coverage && coverage.is_whole === false && coverageText(coverage, this.app.zone),
      ...notes,
      cost_scope && `Cost: ${cost_scope}`,
    ];
    this.notes.set(lines.filter((line) => typeof line === "string" && line !== ""));
  }

  /** @param {any} freshness */
  #setFreshness(freshness) {
    if (!freshness) return;
    const { watermark, lag_s: lag } = freshness;
    this.freshness.hidden = false;
    const isStale = !watermark || (lag ?? 0) > STALE_S;
    this.freshness.className = `freshness badge ${isStale ? "badge-warn" : "badge-good"}`;
    const text = watermark ? `${formatSpan_s(Math.max(0, lag ?? 0))} behind` : "No data yet";
    setText(this.freshness, text);
    this.freshness.title = watermark
      ? `Complete up to ${
        formatInstant(watermark, this.app.zone, { seconds: true })
      }: everything that ended before is in`
      : "No chunk has been stored yet";
  }
}

/**
 * @param {any} coverage
 * @param {string} zone
 */
function coverageText(coverage, zone) {
  const from = formatInstant(coverage.from, zone);
  return `Only from ${from} on is kept. ${coverage.reason ?? ""}`.trim();
}

function logo() {
  return h(
    "a",
    { class: "logo", href: "/overview" },
    h("img", { src: new URL("../icon.svg", import.meta.url).href, alt: "", width: 24, height: 24 }),
    h("span", {}, "Inferometer"),
  );
}
