// @ts-check
/** Makes DOM nodes. Text stays text: nothing that came from data is ever read as markup. */

/** @typedef {Node | string | number | null | undefined | false} Child */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element: `h("button", {class: "button", on: {click}}, "Save")`.
 * `null` and `false` leave an attribute or a child out; `true` writes an empty attribute.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [props]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) setProperty(element, name, value);
  element.append(...nodes(children));
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {string} name
 * @param {any} value
 */
function setProperty(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") {
    for (const [event, listener] of Object.entries(value)) {
      element.addEventListener(event, listener);
    }
  } else if (name === "dataset") {
    Object.assign(element.dataset, value);
  } else {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * @param {(Child | Child[])[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  return children.flat().filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => child instanceof Node ? child : String(child));
}

/**
 * Put other children into a node.
 * @param {Element} parent
 * @param {...(Child | Child[])} children
 */
export function replace(parent, ...children) {
  parent.replaceChildren(...nodes(children));
}

/**
 * Put other children into a node that people may be using: what looks the same stays, and what has
 * the focus keeps it, so that no refresh throws who uses the keyboard back to the top of the page.
 * @param {Element} parent
 * @param {...(Child | Child[])} children
 */
export function refill(parent, ...children) {
  const wanted = nodes(children).map((one) => one instanceof Node ? one : new Text(one));
  const here = [...parent.childNodes];
  const isSame = wanted.length === here.length &&
    wanted.every((node, at) => node.isEqualNode(here[at]));
  if (!isSame) keepFocus(parent, () => parent.replaceChildren(...wanted));
}

/**
 * Draw a part anew; afterwards the focus is where it was: on what has the same name there, or else
 * stands at the same place.
 * @param {Element} parent
 * @param {() => void} draw
 */
export function keepFocus(parent, draw) {
  const focused = document.activeElement;
  if (!(focused instanceof HTMLElement) || focused === parent || !parent.contains(focused)) {
    draw();
    return;
  }
  const alike =
    () => /** @type {HTMLElement[]} */ ([...parent.querySelectorAll(focused.localName)]);
  const named = () => alike().filter((one) => nameOf(one) === nameOf(focused));
  const [place, placeOfName] = [alike().indexOf(focused), named().indexOf(focused)];
  draw();
  if (document.activeElement === focused) return;
  const found = named();
  const again = found.length > 0 ? found[placeOfName] ?? found.at(-1) : alike()[place];
  again?.focus({ preventScroll: true });
}

/** @param {HTMLElement} element */
function nameOf(element) {
  return element.getAttribute("aria-label") ?? element.textContent;
}

/**
 * Change a text only if it differs, so that a refresh touches nothing that stays.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @type {Record<string, string>} */
const ICONS = {
  overview: "M3 13h5V3H3zM12 8h5V3h-5zM12 17h5v-6h-5zM3 17h5v-1H3z",
  analytics: "M3 17V9M8 17V3M13 17v-6M18 17V6",
  models: "M2 14l4-5 4 3 7-8M13 4h4v4",
  logs: "M3 5h14M3 10h14M3 15h9",
  alerts: "M10 3a5 5 0 0 1 5 5c0 5 2 6 2 6H3s2-1 2-6a5 5 0 0 1 5-5zM8.5 17h3",
  cost:
    "M10 2v16M14 6c0-1.7-1.8-2.5-4-2.5S6 4.500 6 6.500 7.800 9.500 10 10s4 1.300 4 3.500-1.800 3-4 3-4-.9-4-2.500",
  pipeline: "M2 10h4l2-6 4 12 2-6h4",
  oncall: "M10 3l8 14H2zM10 8v4M10 14.500v.5",
  search: "M9 3a6 6 0 1 1 0 12A6 6 0 0 1 9 3zM13.500 13.500L18 18",
  clock: "M10 2a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM10 6v4l3 2",
  filter: "M2 4h16l-6 7v5l-4 1v-6z",
  export: "M10 3v9M6 8l4 4 4-4M3 15v2h14v-2",
  close: "M5 5l10 10M15 5L5 15",
  refresh: "M16 7a7 7 0 1 0 1 5M17 3v4h-4",
  sun:
    "M10 6a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM10 1v2M10 17v2M1 10h2M17 10h2M3.600 3.600L5 5M15 15l1.400 1.400M16.400 3.600L15 5M5 15l-1.400 1.400",
  moon: "M16 12A7 7 0 0 1 8 4a7 7 0 1 0 8 8z",
  table: "M3 4h14v12H3zM3 8h14M3 12h14M8 4v12",
  chart: "M3 3v14h14M6 13l3-4 3 2 4-6",
  keyboard: "M2 5h16v10H2zM5 8h.5M8 8h.5M11 8h.5M14 8h.5M6 12h8",
  check: "M4 10l4 4 8-9",
  zoomOut: "M9 3a6 6 0 1 1 0 12A6 6 0 0 1 9 3zM13.500 13.500L18 18M6 9h6",
  person: "M10 3a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7zM3 18c0-4 3-6 7-6s7 2 7 6",
  back: "M12 4l-6 6 6 6",
  forward: "M8 4l6 6-6 6",
  more: "M4 10h.5M10 10h.5M16 10h.5",
};

/**
 * Draw one of the console's icons; it is decoration, so the button around it has the name.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name] ?? ICONS.more);
  svg.append(path);
  return svg;
}

/**
 * Make an SVG node.
 * @param {string} tag
 * @param {Record<string, string | number>} props
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function svg(tag, props, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

let lastId = 0;

/**
 * Return an id that no other element has.
 * @param {string} stem
 * @returns {string}
 */
export function freshId(stem) {
  lastId += 1;
  return `${stem}-${lastId}`;
}
