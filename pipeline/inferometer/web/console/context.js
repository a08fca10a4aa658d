// @ts-check
/** Where components find the application that they are part of; set once, at the start. */

/** @type {{app: import("./app.js").App}} */
export const context = { app: /** @type {any} */ (null) };
