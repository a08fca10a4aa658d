// @ts-check
/**
 * A card of a page with an answer of its own: one that fails says so and leaves the others alone,
 * and one that is asked again keeps what it shows until the new answer is in.
 */

import { card } from "../components/card.js";
import { h, refill, replace } from "../components/dom.js";
import { errorState, skeleton } from "../components/states.js";
import { ApiError } from "../shell/api.js";

/**
 * @typedef {object} Part
 * @property {HTMLElement} element
 * @property {HTMLElement} content where `show` draws
 * @property {(title: string) => void} setTitle
 * @property {<T>(answer: Promise<T>, show: (answer: T) => void) => Promise<void>} load
 */

/**
 * @param {object} options
 * @param {string} options.title
 * @param {string} [options.definition]
 * @param {Node[]} [options.actions]
 * @param {string} [options.class]
 * @param {"tiles"|"chart"|"table"} [options.skeleton]
 * @param {() => void} options.onRetry
 * @returns {Part}
 */
export function createPart(options) {
  const frame = card({
    title: options.title,
    definition: options.definition,
    actions: options.actions,
    class: options.class,
  });
  const notice = h("div", { class: "part-notice" });
  const content = h("div", { class: "part-content" });
  content.append(skeleton(options.skeleton ?? "table"));
  frame.body.append(notice, content);
  let hasContent = false;

  return {
    element: frame.element,
    content,
    setTitle: frame.setTitle,
    async load(answer, show) {
      try {
        const value = await answer;
        if (!hasContent) replace(content);
        hasContent = true;
        show(value);
        replace(notice);
      } catch (error) {
        if (isAbort(error)) return;
        // The banner of the page says it once; what was drawn is still the latest that is known.
        if (hasContent && isAway(error)) return;
        if (!hasContent) replace(content);
        refill(notice, errorState(/** @type {Error} */ (error), options.onRetry));
      }
    },
  };
}

/**
 * Tell whether a call ended because a newer one took its place.
 * @param {unknown} error
 * @returns {boolean}
 */
export function isAbort(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

/**
 * Tell whether the server or its store is away, which all parts of a page meet at once.
 * @param {unknown} error
 * @returns {boolean}
 */
export function isAway(error) {
  return error instanceof ApiError && (error.status === 0 || error.status === 503);
}

/**
 * Return the rows of an answer, whichever name they stand under.
 * @param {any} answer
 * @param {...string} names
 * @returns {any[]}
 */
export function rowsOf(answer, ...names) {
  if (Array.isArray(answer)) return answer;
  for (const name of [...names, "rows"]) {
    if (Array.isArray(answer?.[name])) return answer[name];
  }
  return [];
}
