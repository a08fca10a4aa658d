// @ts-check
/** What is the reader's and not the page's: the theme, whether single keys are shortcuts. */

const THEME = "inferometer.theme";
const PATTERNS = "inferometer.patterns";
const KEYS = "inferometer.shortcuts";

/** @typedef {"system" | "light" | "dark"} Theme */

/**
 * @param {string} name
 * @param {string} fallback
 * @returns {string}
 */
function remembered(name, fallback) {
  try {
    return localStorage.getItem(name) ?? fallback;
  } catch {
    return fallback;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Storage can be forbidden; the choice then lasts as long as the page.
  }
}

/** @returns {Theme} */
export function theme() {
  return /** @type {Theme} */ (document.documentElement.dataset.theme ?? "system");
}

/** @returns {boolean} */
export function isDark() {
  return theme() === "dark" ||
    (theme() === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
}

/** @param {Theme} value */
export function setTheme(value) {
  remember(THEME, value);
  document.documentElement.dataset.theme = value;
  document.dispatchEvent(new CustomEvent("themechange"));
}

/** Take over what was chosen before, and follow the system where it decides. */
export function startPreferences() {
  document.documentElement.dataset.theme = remembered(THEME, "system");
  matchMedia("(prefers-color-scheme: dark)").addEventListener(
    "change",
    () => document.dispatchEvent(new CustomEvent("themechange")),
  );
}

/** Whether bars and areas have patterns besides colours. */
export function hasPatterns() {
  return remembered(PATTERNS, "off") === "on";
}

/** @param {boolean} isOn */
export function setPatterns(isOn) {
  remember(PATTERNS, isOn ? "on" : "off");
  document.dispatchEvent(new CustomEvent("themechange"));
}

/** @returns {boolean} */
export function hasShortcuts() {
  return remembered(KEYS, "on") === "on";
}

/** @param {boolean} isOn */
export function setShortcuts(isOn) {
  remember(KEYS, isOn ? "on" : "off");
}
