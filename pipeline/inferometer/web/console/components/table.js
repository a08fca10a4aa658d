// @ts-check
/** A table that sorts by its headings and changes only the cells that differ. */

import { context } from "../context.js";
import { formatValue } from "../format.js";
import { term } from "./definition.js";
import { h, icon, replace } from "./dom.js";

/** @import { Child } from "./dom.js" */

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} [label]
 * @property {string} [measure] gives label, unit and definition
 * @property {string} [unit]
 * @property {string} [definition]
 * @property {"start" | "end"} [align]
 * @property {boolean} [isSortable]
 * @property {boolean} [isRowHeader]
 * @property {(row: any) => any} [value] what sorts, and is shown unless `render` is there
 * @property {(row: any) => Child | Child[]} [render]
 * @property {string} [class]
 */

/** @typedef {{key: string, isDescending: boolean}} Sort */

/**
 * @typedef {object} TableOptions
 * @property {string} caption read out, not shown
 * @property {Column[]} columns
 * @property {Sort | null} [sort]
 * @property {(sort: Sort) => void} [onSort] without it the table sorts what it has
 * @property {(row: any) => void} [onRow]
 * @property {(row: any) => string} [rowKey]
 * @property {(row: any) => string} [rowLabel] names the button that opens a row
 * @property {string | Node} [emptyText]
 * @property {number} [maxRows] rows beyond it are offered by a button
 */

/** @param {TableOptions} options */
export function table(options) {
  return new Table(options);
}

class Table {
  /** @param {TableOptions} options */
  constructor(options) {
    this.options = options;
    this.columns = options.columns.map(complete);
    this.sort = options.sort ?? null;
    /** @type {any[]} */
    this.rows = [];
    this.total = null;
    this.shown = options.maxRows ?? Infinity;
    /** @type {Map<string, HTMLTableRowElement>} */
    this.byKey = new Map();
    this.head = h("tr");
    this.body = h("tbody");
    this.foot = h("tfoot");
    this.empty = h("div", { class: "table-empty", hidden: true });
    this.more = h("button", {
      class: "button table-more",
      type: "button",
      hidden: true,
      on: { click: () => this.#showMore() },
    });
    this.scroll = h(
      "div",
      { class: "table-scroll", tabindex: "0", role: "region", "aria-label": options.caption },
      h(
        "table",
        { class: "table" },
        h("caption", { class: "sr-only" }, options.caption),
        h("thead", {}, this.head),
        this.body,
        this.foot,
      ),
    );
    this.element = h("div", { class: "table-box" }, this.scroll, this.empty, this.more);
    this.#drawHead();
  }

  /**
   * @param {any[]} rows
   * @param {{total?: any}} [options] total: a row for the foot
   */
  set(rows, { total = null } = {}) {
    this.rows = rows;
    this.total = total;
    this.#draw();
  }

  /** @param {Column[]} columns */
  setColumns(columns) {
    const next = columns.map(complete);
    if (JSON.stringify(next) === JSON.stringify(this.columns)) {
      this.columns = next;
      return;
    }
    this.columns = next;
    this.byKey.clear();
    replace(this.body);
    replace(this.foot);
    this.#drawHead();
  }

  /** @param {Sort | null} sort */
  setSort(sort) {
    if (sort?.key === this.sort?.key && sort?.isDescending === this.sort?.isDescending) return;
    this.sort = sort;
    this.#drawHead();
    this.#draw();
  }

  #showMore() {
    this.shown += this.options.maxRows ?? 0;
    this.#draw();
  }

  #drawHead() {
    replace(this.head, this.columns.map((column) => this.#headCell(column)));
  }

  /** @param {Column} column */
  #headCell(column) {
    const isSorted = this.sort?.key === column.key;
    const direction = this.sort?.isDescending ? "descending" : "ascending";
    const label = column.label ?? column.key;
    const cell = h("th", {
      scope: "col",
      class: column.align === "end" ? "num" : "",
      "aria-sort": isSorted ? direction : null,
      dataset: { key: column.key },
    });
    if (column.isSortable === false) {
      cell.append(term(label, column.definition, column.unit));
      return cell;
    }
    const click = () => this.#sortBy(column);
    const hint = column.definition ? { title: column.definition } : {};
    cell.append(
      h(
        "button",
        { class: "table-sort", type: "button", on: { click }, ...hint },
        label,
        h(
          "span",
          { class: "sort-mark", "aria-hidden": "true" },
          isSorted ? (this.sort?.isDescending ? "↓" : "↑") : "",
        ),
      ),
    );
    return cell;
  }

  /** @param {Column} column */
  #sortBy(column) {
    const isDescending = this.sort?.key === column.key
      ? !this.sort.isDescending
      : column.align === "end";
    const sort = { key: column.key, isDescending };
    this.setSort(sort);
    const again = this.head.querySelector(`th[data-key="${CSS.escape(column.key)}"] button`);
    if (again instanceof HTMLElement) again.focus();
    this.options.onSort?.(sort);
  }

  #draw() {
    const { emptyText = "Nothing to show.", onSort, maxRows } = this.options;
    const rows = onSort && !maxRows ? this.rows : sorted(this.rows, this.columns, this.sort);
    const visible = rows.slice(0, this.shown);
    /** @type {Map<string, HTMLTableRowElement>} */
    const kept = new Map();
    const elements = visible.map((row, index) => {
      const key = this.#keyOf(row, index, kept);
      const element = this.byKey.get(key) ?? this.#newRow();
      this.#fill(element, row);
      kept.set(key, element);
      return element;
    });
    this.byKey = kept;
    placeInOrder(this.body, elements);
    this.#drawFoot();
    this.empty.hidden = rows.length > 0;
    this.scroll.hidden = rows.length === 0;
    if (rows.length === 0) replace(this.empty, emptyText);
    this.more.hidden = rows.length <= this.shown;
    this.more.textContent = `Show more (${rows.length - visible.length} left)`;
  }

  /**
   * @param {any} row
   * @param {number} index
   * @param {Map<string, any>} taken
   */
  #keyOf(row, index, taken) {
    const key = this.options.rowKey?.(row) ?? String(index);
    return taken.has(key) ? `${key}#${index}` : key;
  }

  #newRow() {
    const element = h("tr", {}, this.columns.map(newCell));
    const { onRow } = this.options;
    if (onRow) {
      element.classList.add("is-clickable");
      element.addEventListener("click", (event) => {
        const target = /** @type {Element} */ (event.target);
        if (target.closest("a, button:not(.row-open), input") === null) {
          onRow(/** @type {any} */ (element).row);
        }
      });
    }
    return element;
  }

  /**
   * @param {HTMLTableRowElement} element
   * @param {any} row
   */
  #fill(element, row) {
    /** @type {any} */ (element).row = row;
    const key = this.options.rowKey?.(row);
    if (key !== undefined) element.dataset.key = key;
    this.columns.forEach((column, index) => {
      element.cells[index].dataset.key = column.key;
      element.cells[index].dataset.value = rawText(valueOf(column, row));
      const content = contentOf(column, row);
      if (this.options.onRow && column.isRowHeader && typeof content === "string") {
        this.#fillOpener(element.cells[index], row, content);
      } else {
        fillCell(element.cells[index], content);
      }
    });
  }

  /**
   * A row that opens has a button in its first cell, for those without a mouse.
   * @param {HTMLTableCellElement} cell
   * @param {any} row
   * @param {string} text
   */
  #fillOpener(cell, row, text) {
    let button = cell.querySelector("button.row-open");
    if (!button) {
      button = h("button", { class: "row-open", type: "button" });
      replace(cell, button);
    }
    if (button.textContent !== text) button.textContent = text;
    const label = this.options.rowLabel?.(row);
    if (label) button.setAttribute("aria-label", label);
  }

  #drawFoot() {
    if (!this.total) {
      if (this.foot.childElementCount > 0) replace(this.foot);
      return;
    }
    let line = this.foot.rows[0];
    if (!line) {
      line = h("tr", {}, this.columns.map(newCell));
      replace(this.foot, line);
    }
    this.columns.forEach((column, index) =>
      fillCell(line.cells[index], contentOf(column, this.total))
    );
  }
}

/**
 * @param {Column} column
 * @returns {Column}
 */
function complete(column) {
  const known = column.measure ? context.app.measure(column.measure) : null;
  const unit = column.unit ?? known?.unit;
  return {
    ...column,
    unit,
    label: column.label ?? known?.label ?? column.key,
    definition: column.definition ?? known?.definition ?? "",
    align: column.align ?? (unit ? "end" : "start"),
  };
}

/** @param {Column} column */
function newCell(column) {
  const className = [column.align === "end" ? "num" : "", column.class ?? ""].join(" ").trim();
  const props = className ? { class: className } : {};
  return column.isRowHeader ? h("th", { scope: "row", ...props }) : h("td", props);
}

/**
 * @param {Column} column
 * @param {any} row
 */
function valueOf(column, row) {
  return column.value ? column.value(row) : row[column.key];
}

/** @param {any} value */
function rawText(value) {
  return value === null || value === undefined || typeof value === "object" ? "" : String(value);
}

/**
 * @param {Column} column
 * @param {any} row
 * @returns {Child | Child[]}
 */
function contentOf(column, row) {
  if (column.render) return column.render(row);
  const value = valueOf(column, row);
  if (column.unit) return formatValue(value, column.unit, { name: column.measure ?? column.key });
  return value === null || value === undefined || value === "" ? "–" : String(value);
}

/**
 * @param {HTMLTableCellElement} cell
 * @param {Child | Child[]} content
 */
function fillCell(cell, content) {
  if (content === null || content === undefined || content === false) content = "–";
  if (!Array.isArray(content) && !(content instanceof Node)) {
    const text = String(content);
    if (cell.childElementCount > 0 || cell.textContent !== text) cell.textContent = text;
    return;
  }
  const wanted = h("td", {}, content);
  const isSame = wanted.childNodes.length === cell.childNodes.length &&
    [...wanted.childNodes].every((node, at) => node.isEqualNode(cell.childNodes[at]));
  // Focus would be lost with the old nodes; what looks the same is the same.
  if (!isSame) cell.replaceChildren(...wanted.childNodes);
}

/**
 * @param {HTMLElement} parent
 * @param {HTMLElement[]} elements
 */
function placeInOrder(parent, elements) {
  elements.forEach((element, index) => {
    if (parent.children[index] !== element) {
      parent.insertBefore(element, parent.children[index] ?? null);
    }
  });
  while (parent.children.length > elements.length) parent.lastElementChild?.remove();
}

/**
 * Sort rows by a column; what has no value comes last either way.
 * @param {any[]} rows
 * @param {Column[]} columns
 * @param {Sort | null} sort
 * @returns {any[]}
 */
export function sorted(rows, columns, sort) {
  const column = columns.find((one) => one.key === sort?.key);
  if (!column || !sort) return rows;
  const sign = sort.isDescending ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [left, right] = [valueOf(column, a), valueOf(column, b)];
    const isLeftEmpty = left === null || left === undefined;
    const isRightEmpty = right === null || right === undefined;
    if (isLeftEmpty || isRightEmpty) return Number(isLeftEmpty) - Number(isRightEmpty);
    if (typeof left === "number" && typeof right === "number") return sign * (left - right);
    return sign * String(left).localeCompare(String(right), "en", { numeric: true });
  });
}

/**
 * A button with an icon for the head of a card.
 * @param {string} name
 * @param {string} label
 * @param {() => void} onClick
 */
export function iconButton(name, label, onClick) {
  return h(
    "button",
    {
      class: "button button-quiet button-icon",
      type: "button",
      "aria-label": label,
      title: label,
      on: { click: onClick },
    },
    icon(name),
  );
}
