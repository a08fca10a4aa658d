// @ts-check
/** What a reader should know of the answers of a page; one line of it on a phone, all when asked. */

import { h, replace, setText } from "../components/dom.js";

export class Notes {
  #text = "";

  constructor() {
    this.lines = h("div", { class: "notes-lines" });
    this.more = h("button", {
      class: "notes-more",
      type: "button",
      on: { click: () => this.#open(!this.isOpen) },
    });
    this.element = h("div", { class: "notes", hidden: true }, this.lines, this.more);
    this.#open(false);
  }

  get isOpen() {
    return this.more.getAttribute("aria-expanded") === "true";
  }

  /** @param {boolean} isOpen */
  #open(isOpen) {
    this.more.setAttribute("aria-expanded", String(isOpen));
    setText(this.more, isOpen ? "Less" : "More");
  }

  /** @param {string[]} lines the most important first */
  set(lines) {
    const text = lines.join("\n");
    this.element.hidden = text === "";
    if (this.#text === text) return;
    this.#text = text;
    replace(this.lines, lines.map((line) => h("p", {}, line)));
  }
}
