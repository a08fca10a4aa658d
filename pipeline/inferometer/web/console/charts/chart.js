// @ts-check
/**
 * A chart with its title, legend and table: crosshair shared by all charts of a page, dragging
 * zooms the URL's range, a click drills down to the rows of the log behind a point.
 */

import { iconButton } from "../components/table.js";
import { term } from "../components/definition.js";
import { h, refill, replace } from "../components/dom.js";
import { emptyState, errorState, skeleton } from "../components/states.js";
import { context } from "../context.js";
import { Frame, optionsOf } from "./chart_options.js";
import { chartTable } from "./chart_table.js";
import { Legend } from "./legend.js";
import { library } from "./library.js";
import { coloured } from "./palette.js";
import { pointAt, startPointer } from "./pointer.js";
import { tooltipOf } from "./tooltip.js";
import { inTurn } from "./turns.js";

/** @import { ChartData, ChartPoint } from "../types.js" */

/**
 * @typedef {object} ChartSettings
 * @property {string} title
 * @property {string | {unit: string, definition?: string}} [measure]
 * @property {string} [definition]
 * @property {"line" | "area" | "bar"} [kind]
 * @property {Node[]} [actions]
 * @property {number} [height] in pixels
 * @property {(point: ChartPoint) => void} [onPoint]
 * @property {(from: string, to: string) => void} [onZoom]
 * @property {boolean} [isSynced]
 * @property {number} [min]
 * @property {number} [max]
 * @property {string} [class]
 * @property {string} [emptyText]
 */

const SYNC_GROUP = "page";

/**
 * @param {string | {unit: string, definition?: string}} measure
 * @returns {{name: string, unit: string, definition?: string} | null}
 */
function measureOf(measure) {
  if (measure === "") return null;
  return typeof measure === "string" ? context.app.measure(measure) : { name: "", ...measure };
}

/** @param {ChartSettings} settings */
export function chart(settings) {
  return new Chart(settings);
}

export class Chart {
  /** @type {any} */
  #drawn = null;
  #isVisible = false;
  #isTable = false;
  #isDestroyed = false;
  #isPlanned = false;
  /** Whether there is something to show that was not drawn yet. */
  #isDue = false;

  /** @param {ChartSettings} settings */
  constructor(settings) {
    this.settings = settings;
    this.kind = settings.kind ?? "line";
    this.isHovered = false;
    /** @type {ChartData | null} */
    this.data = null;
    /** @type {Frame | null} */
    this.frame = null;
    const known = measureOf(settings.measure ?? "");
    this.measure = known?.name ?? "";
    this.unit = known?.unit ?? "count";
    this.legend = new Legend(() => this.#draw());
    // While answers are on their way there is time to load it; who draws is told if that fails.
    library().catch(() => {});
    const { title, height = 220 } = settings;
    this.canvas = h("div", { class: "chart-canvas", role: "img", "aria-label": title });
    this.canvas.style.height = `${height}px`;
    this.canvas.hidden = true;
    this.cover = h("div", { class: "chart-cover" }, skeleton("chart"));
    this.cover.style.minHeight = `${height}px`;
    this.table = h("div", { class: "chart-table", hidden: true });
    this.table.style.maxHeight = `${height + 60}px`;
    this.note = h("p", { class: "chart-note quiet", hidden: true });
    this.toggle = iconButton("table", `Show "${title}" as a table`, () => this.#toggleTable());
    this.plot = h("div", { class: "chart-plot" }, this.canvas, this.cover);
    this.element = this.#frame(settings.definition ?? known?.definition ?? "");
    this.visible = new IntersectionObserver((entries) => {
      this.#isVisible = entries.some((entry) => entry.isIntersecting);
      if (this.#isVisible) this.#drawInTurn();
    });
    this.resized = new ResizeObserver(() => this.#resize());
    this.onTheme = () => {
      this.#draw();
    };
    this.#observe();
  }

  /** @param {string} definition */
  #frame(definition) {
    const { title, actions = [], class: className = "" } = this.settings;
    return h(
      "figure",
      {
        class: `card chart ${className}`,
        "aria-label": title,
        dataset: { state: "loading", measure: this.measure },
      },
      h(
        "header",
        { class: "card-head" },
        h("h2", { class: "card-title" }, term(title, definition, this.unit)),
        h("div", { class: "row card-actions" }, actions, this.toggle),
      ),
      this.plot,
      this.legend.element,
      this.table,
      this.note,
    );
  }

  #observe() {
    this.visible.observe(this.element);
    this.resized.observe(this.canvas);
    document.addEventListener("themechange", this.onTheme);
    startPointer(this);
  }

  /** @param {ChartData} data */
  set(data) {
    this.data = { ...data, series: coloured(data.series) };
    this.#isDue = true;
    this.unit = data.unit ?? this.unit;
    this.frame = new Frame(data);
    /** @type {any} */ (this.element).chartData = this.data;
    const isEmpty = !data.series.some((one) => one.values.some((value) => value !== null));
    this.element.dataset.state = isEmpty ? "empty" : "ready";
    this.cover.hidden = !isEmpty;
    this.canvas.hidden = isEmpty;
    if (isEmpty) {
      replace(
        this.cover,
        emptyState({ title: this.settings.emptyText ?? "No values in this range" }),
      );
    }
    this.canvas.setAttribute("aria-label", this.#summary());
    this.note.hidden = !data.note;
    this.note.textContent = data.note ?? "";
    this.legend.set(this.data.series);
    if (this.#isTable) this.#drawTable();
    if (this.#isVisible) this.#drawInTurn();
    else this.#plan();
  }

  /** Draw later, when nothing else is to do. */
  #plan() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    const later = globalThis.requestIdleCallback ??
      ((/** @type {any} */ run) => setTimeout(run, 200));
    later(() => {
      this.#isPlanned = false;
      this.#drawInTurn();
    }, { timeout: 3000 });
  }

  #drawInTurn() {
    // In one go they would all be drawn when the library has come.
    if (this.#isDue) library().then(() => inTurn(this.#turn), () => this.#cannotDraw());
  }

  #turn = () => {
    if (this.#isDue) this.#draw();
  };

  #cannotDraw() {
    if (this.#isDestroyed || this.canvas.hidden) return;
    this.canvas.hidden = true;
    this.cover.hidden = false;
    const again = () => this.data && this.set(this.data);
    const words = "What draws charts did not load. The table has the numbers.";
    refill(this.cover, errorState({ title: "No drawing", detail: words }, again));
  }

  #summary() {
    const { data } = this;
    if (!data) return this.settings.title;
    const names = data.series.slice(0, 5).map((one) => one.label).join(", ");
    const more = data.series.length > 5 ? ` and ${data.series.length - 5} more` : "";
    return `${this.settings.title}: ${this.kind} chart of ${data.windows.length} windows for ${names}${more}. The table has the numbers.`;
  }

  async #draw() {
    const echarts = await library();
    if (this.#isDestroyed || !this.data || !this.frame || this.canvas.hidden) return;
    const width = this.canvas.clientWidth;
    if (width === 0) return;
    this.legend.fit();
    this.#isDue = false;
    if (!this.#drawn) {
      this.#drawn = echarts.init(this.canvas, null, { renderer: "canvas" });
      if (this.settings.isSynced !== false) {
        this.#drawn.group = SYNC_GROUP;
        echarts.connect(SYNC_GROUP);
      }
    }
    const options = optionsOf(this.data, this.frame, this.#looks(width));
    options.tooltip.formatter = (/** @type {any} */ items) => this.#tooltip(items);
    this.#drawn.setOption(options, { replaceMerge: ["series"] });
  }

  /**
   * @param {number} width
   * @returns {import("./chart_options.js").Looks}
   */
  #looks(width) {
    return {
      kind: this.kind,
      unit: this.unit,
      measure: this.measure,
      zone: context.app.zone,
      width,
      min: this.settings.min,
      max: this.settings.max,
      hidden: this.legend.hidden,
    };
  }

  /** @param {any[]} items */
  #tooltip(items) {
    // The crosshair is everybody's, the words are only where the pointer is.
    if (!this.isHovered || !this.data || !this.frame || !items?.length) return "";
    const index = this.frame.indexAt(items[0].axisValue);
    return tooltipOf(this, index);
  }

  /**
   * The pixel position of an event as a time and a value; null outside the axes.
   * @param {number} x
   * @param {number} y
   * @returns {{at_ms: number, value: number} | null}
   */
  place(x, y) {
    if (!this.#drawn?.containPixel({ gridIndex: 0 }, [x, y])) return null;
    const [at_ms, value] = this.#drawn.convertFromPixel({ gridIndex: 0 }, [x, y]);
    return { at_ms, value };
  }

  /**
   * @param {number} at_ms
   * @param {number} value
   */
  click(at_ms, value) {
    const point = pointAt(this, at_ms, value);
    if (!point) return;
    if (this.settings.onPoint) this.settings.onPoint(point);
    else {context.app.toLogs({
        from: point.from,
        to: point.to,
        filters: point.series.filters ?? [],
      });}
  }

  /**
   * @param {number} from_ms
   * @param {number} to_ms
   */
  zoom(from_ms, to_ms) {
    const [from, to] = [new Date(from_ms).toISOString(), new Date(to_ms).toISOString()];
    if (this.settings.onZoom) this.settings.onZoom(from, to);
    else context.app.state.set({ from, to, granularity: null });
  }

  hideTooltip() {
    this.#drawn?.dispatchAction({ type: "hideTip" });
  }

  #toggleTable() {
    this.#isTable = !this.#isTable;
    this.table.hidden = !this.#isTable;
    this.plot.hidden = this.#isTable;
    this.toggle.setAttribute("aria-pressed", String(this.#isTable));
    if (this.#isTable) this.#drawTable();
    else this.#draw();
  }

  #drawTable() {
    if (this.data) replace(this.table, chartTable(this, this.data));
  }

  #resize() {
    if (!this.#drawn) {
      if (this.#isVisible) this.#draw();
      return;
    }
    const { clientWidth: width, clientHeight: height } = this.canvas;
    // Being shown is told as a change of size too, when it has been drawn for that already.
    if (width === 0 || (width === this.#drawn.getWidth() && height === this.#drawn.getHeight())) {
      return;
    }
    this.#drawn.resize();
    this.#draw();
  }

  destroy() {
    this.#isDestroyed = true;
    this.visible.disconnect();
    this.resized.disconnect();
    document.removeEventListener("themechange", this.onTheme);
    this.#drawn?.dispose();
  }
}
