// @ts-check
/** Workspace, theme, shortcuts and signing out. */

import { h, icon, replace, setText } from "../components/dom.js";
import { popover } from "../components/popover.js";
import { segmented, select } from "../components/select.js";
import { hasPatterns, setPatterns, setTheme, theme } from "./preferences.js";
import { openShortcuts } from "./shortcuts.js";

const THEMES = [
  { value: "system", label: "System" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
];

export class AccountMenu {
  /** @param {import("../app.js").App} app */
  constructor(app) {
    this.app = app;
    this.label = h("span", { class: "account-label" });
    this.button = h(
      "button",
      { class: "button", type: "button", "aria-label": "Workspace and settings" },
      icon("person"),
      this.label,
    );
    this.element = h("div", {}, this.button);
    this.menu = popover(this.button, {
      label: "Workspace and settings",
      class: "account-menu",
      onOpen: (panel) => this.#draw(panel),
    });
  }

  update() {
    const { me, state } = this.app;
    setText(this.label, state.workspace || me.workspace || "All workspaces");
  }

  /** @param {HTMLElement} panel */
  #draw(panel) {
    const { me } = this.app;
    const themes = segmented({
      label: "Theme",
      options: THEMES,
      value: theme(),
      onChange: (value) => setTheme(/** @type {any} */ (value)),
    });
    replace(
      panel,
      h(
        "p",
        {},
        h("strong", {}, me.name || "Unnamed token"),
        h("span", { class: "quiet" }, ` · ${me.role}`),
      ),
      this.#workspaces(),
      h("div", { class: "field" }, h("span", { class: "field-label" }, "Theme"), themes.element),
      patternsBox(),
      h(
        "button",
        {
          class: "button",
          type: "button",
          on: {
            click: () => {
              this.menu.close();
              openShortcuts();
            },
          },
        },
        icon("keyboard"),
        "Keyboard shortcuts",
      ),
      h(
        "button",
        { class: "button", type: "button", on: { click: () => this.#signOut() } },
        "Sign out",
      ),
    );
  }

  #workspaces() {
    const { me, state, api } = this.app;
    if (me.workspace !== null) {
      return h("p", { class: "quiet" }, "Workspace ", h("strong", {}, me.workspace));
    }
    const all = { value: "", label: "All workspaces" };
    const list = select({
      label: "Workspace",
      options: [all],
      value: state.workspace,
      onChange: (workspace) => {
        this.menu.close();
        state.set({ workspace });
      },
    });
    api.get("/dimensions/workspace_id/values", { from: "now-7d", limit: 200 }).then((answer) => {
      const values = answer.values.map((/** @type {{value: string}} */ one) => ({
        value: one.value,
        label: one.value,
      }));
      list.set(state.workspace, [all, ...values]);
    }, () => {});
    return list.element;
  }

  async #signOut() {
    await this.app.api.delete("/session");
    location.assign("/");
  }
}

function patternsBox() {
  const box = h("input", {
    type: "checkbox",
    checked: hasPatterns(),
    on: { change: () => setPatterns(box.checked) },
  });
  return h("label", { class: "check" }, box, "Patterns in bars and areas");
}
