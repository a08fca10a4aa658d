// @ts-check
/** Signs in: a token from the link of the embedded server, or one that is typed. */

import { openDialog } from "../components/dialog.js";
import { h, replace } from "../components/dom.js";

/** @import { Me } from "../types.js" */

/**
 * Take the token out of the address, where it would stay in history and screenshots.
 * @returns {string} empty without one
 */
export function tokenOfAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

/**
 * Ask until a token is accepted.
 * @param {import("./api.js").Api} api
 * @param {string} reason
 * @returns {Promise<Me>}
 */
export function askForToken(api, reason) {
  const { promise, resolve } = Promise.withResolvers();
  const problem = h("p", { class: "bad-text", role: "alert" });
  const input = h("input", {
    type: "password",
    class: "input",
    name: "token",
    autocomplete: "current-password",
    required: true,
    autofocus: true,
    placeholder: "imt_…",
  });
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    replace(problem);
    try {
      await api.post("/session", { token: input.value.trim() });
      const me = await api.get("/me");
      close();
      resolve(me);
    } catch (error) {
      replace(problem, error instanceof Error ? error.message : String(error));
      input.select();
    }
  };
  const form = h(
    "form",
    { class: "stack", on: { submit } },
    h("p", { class: "quiet" }, reason),
    h("label", { class: "field" }, h("span", { class: "field-label" }, "Token"), input),
    problem,
    h("div", { class: "row" }, h("button", { class: "button button-primary" }, "Sign in")),
    h(
      "p",
      { class: "quiet small" },
      "The demo prints a link that signs in. An administrator makes tokens with ",
      h("code", {}, "inferometer token create"),
      ".",
    ),
  );
  const close = openDialog({ title: "Sign in to Inferometer", body: form, isFixed: true });
  return promise;
}
