// @ts-check
/** One field that finds pages, time ranges, models, users, teams and requests. */

import { openDialog } from "../components/dialog.js";
import { freshId, h, replace } from "../components/dom.js";
import { withFilter, writeFilter } from "./filters.js";
import { PRESETS } from "./ranges.js";

const WAIT_MS = 150;
const MOST = 8;
const SEARCHED = ["model", "user_id", "team_id"];

/** @typedef {{kind: string, label: string, href: string}} Hit */

let isOpen = false;

/** @param {import("../app.js").App} app */
export function openSearch(app) {
  if (isOpen) return;
  isOpen = true;
  const search = new Search(app);
  const close = openDialog({
    title: "Search",
    body: search.element,
    onClose: () => {
      isOpen = false;
      search.stop();
    },
  });
  search.onChosen = close;
}

class Search {
  /** @type {Hit[]} */
  #hits = [];
  #at = 0;
  #asking = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  onChosen = () => {};

  /** @param {import("../app.js").App} app */
  constructor(app) {
    this.app = app;
    const id = freshId("hits");
    this.input = h("input", {
      type: "search",
      class: "input",
      role: "combobox",
      "aria-expanded": "true",
      "aria-controls": id,
      "aria-label": "Search pages, time ranges, models, users, teams and request ids",
      placeholder: "Page, model, user, team or request id",
      autocomplete: "off",
      autofocus: true,
      on: {
        input: () => this.#type(),
        keydown: (/** @type {KeyboardEvent} */ event) => this.#press(event),
      },
    });
    this.list = h("div", { id, class: "hits", role: "listbox", "aria-label": "Results" });
    this.element = h("div", { class: "stack" }, this.input, this.list);
    this.#type();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#asking.abort();
  }

  #type() {
    const text = this.input.value.trim();
    this.#show(this.#local(text));
    this.stop();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    if (text.length < 2) return;
    this.#timer = setTimeout(async () => {
      const found = await this.#remote(text, signal);
      if (!signal.aborted) this.#show([...this.#local(text), ...found]);
    }, WAIT_MS);
  }

  /**
   * @param {string} text
   * @returns {Hit[]}
   */
  #local(text) {
    const words = text.toLowerCase();
    const { app } = this;
    const pages = app.pages.map(({ name, title }) => ({
      kind: "Page",
      label: title,
      href: app.href(name),
    }));
    const ranges = PRESETS.map(({ from, to, label }) => ({
      kind: "Range",
      label,
      href: app.href(app.state.page, { from, to }),
    }));
    const hits = [...pages, ...ranges].filter((one) => one.label.toLowerCase().includes(words));
    const isId = text.length >= 8 && !text.includes(" ");
    const request = {
      kind: "Request",
      label: `Find request ${text} in the log`,
      href: app.href("logs", { request_id: text, from: "now-14d", to: null }, {
        keepFilters: false,
      }),
    };
    return isId ? [...hits, request] : hits;
  }

  /**
   * @param {string} text
   * @param {AbortSignal} signal
   * @returns {Promise<Hit[]>}
   */
  async #remote(text, signal) {
    const { app } = this;
    const answers = await Promise.allSettled(
      SEARCHED.map((dimension) =>
        app.api.get(`/dimensions/${dimension}/values`, {
          from: app.state.from,
          to: app.state.to,
          time_zone: app.zone,
          workspace: app.state.workspace,
          prefix: text,
          limit: 5,
        }, { signal })
      ),
    );
    return answers.flatMap((answer, at) =>
      answer.status === "fulfilled"
        ? answer.value.values.map((/** @type {{value: string}} */ one) =>
          this.#valueHit(SEARCHED[at], one.value)
        )
        : []
    );
  }

  /**
   * @param {string} dimension
   * @param {string} value
   * @returns {Hit}
   */
  #valueHit(dimension, value) {
    const { app } = this;
    const filters = withFilter(app.state.filters, { dimension, match: "=", values: [value] });
    const page = ["models", "logs", "cost"].includes(app.state.page) ? app.state.page : "models";
    return {
      kind: app.dimensionLabel(dimension),
      label: value,
      href: app.href(page, { filter: filters.map(writeFilter) }),
    };
  }

  /** @param {Hit[]} hits */
  #show(hits) {
    this.#hits = hits.slice(0, MOST * 2);
    this.#at = 0;
    this.#draw();
  }

  #draw() {
    if (this.#hits.length === 0) {
      replace(
        this.list,
        h(
          "p",
          { class: "quiet" },
          "Nothing found. Try the beginning of a name, or a whole request id.",
        ),
      );
      return;
    }
    replace(
      this.list,
      this.#hits.map((hit, at) =>
        h(
          "a",
          {
            id: `hit-${at}`,
            class: "hit",
            href: hit.href,
            role: "option",
            tabindex: "-1",
            "aria-selected": String(at === this.#at),
            on: { click: () => this.onChosen() },
          },
          h("span", { class: "hit-kind" }, hit.kind),
          h("span", {}, hit.label),
        )
      ),
    );
    this.input.setAttribute("aria-activedescendant", `hit-${this.#at}`);
    this.list.children[this.#at]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    // A search field would only empty itself.
    if (event.key === "Escape") this.onChosen();
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && this.#hits.length > 0) {
      event.preventDefault();
      this.#at = (this.#at + step + this.#hits.length) % this.#hits.length;
      this.#draw();
    } else if (event.key === "Enter" && this.#hits[this.#at]) {
      event.preventDefault();
      const { href } = this.#hits[this.#at];
      this.onChosen();
      this.app.go(href);
    }
  }
}
