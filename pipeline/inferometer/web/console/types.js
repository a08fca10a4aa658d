// @ts-check
/** The shapes that modules of the console hand to each other; documentation for people and deno. */

/**
 * @typedef {object} MeasureInfo
 * @property {string} name
 * @property {string} label
 * @property {string} unit
 * @property {string} definition
 * @property {boolean | null} higher_is_worse
 */

/**
 * @typedef {object} DimensionInfo
 * @property {string} name
 * @property {string} label
 * @property {string} [definition]
 */

/**
 * A condition; its text in the URL is `model=a,b`, `model!=a` or `user_id^=team-`.
 * @typedef {object} Filter
 * @property {string} dimension
 * @property {"=" | "!=" | "^="} match
 * @property {string[]} values
 */

/**
 * @typedef {Record<string, number | null>} Totals
 */

/**
 * @typedef {object} AnswerSeries
 * @property {Record<string, string>} group
 * @property {string} label
 * @property {boolean} is_other
 * @property {Totals} total
 * @property {Record<string, (number | null)[]>} values
 */

/**
 * @typedef {object} Compared
 * @property {string} from
 * @property {string} to
 * @property {string[]} windows
 * @property {Totals} total
 * @property {Record<string, (number | null)[]>} values
 * @property {AnswerSeries[]} series
 */

/**
 * What `GET /metrics` answers.
 * @typedef {object} MetricsAnswer
 * @property {any} query
 * @property {MeasureInfo[]} measures
 * @property {string} relation
 * @property {boolean} is_from_log
 * @property {string[]} notes
 * @property {Freshness} freshness
 * @property {Coverage} coverage
 * @property {string} cost_scope
 * @property {string[]} windows
 * @property {string[]} window_ends
 * @property {boolean[]} is_final
 * @property {Totals} total
 * @property {Record<string, (number | null)[]>} values
 * @property {AnswerSeries[]} series
 * @property {number} groups_total
 * @property {Compared | null} compared
 */

/**
 * @typedef {object} Freshness
 * @property {string | null} watermark
 * @property {string | null} updated_at
 * @property {number | null} lag_s
 */

/**
 * @typedef {object} Coverage
 * @property {string} from
 * @property {string} to
 * @property {boolean} is_whole
 * @property {string} reason
 */

/**
 * @typedef {object} ChartSeries
 * @property {string} key
 * @property {string} label
 * @property {(number | null)[]} values
 * @property {string} [dimension] with `value`: what its colour is a function of
 * @property {string} [value]
 * @property {string} [color] a CSS variable (`--series-3`) that overrides it
 * @property {boolean} [isDashed] such as a baseline
 * @property {boolean} [isOther]
 * @property {boolean} [isUnstacked] drawn as a line over stacked ones
 * @property {Filter[]} [filters] what drills down to its log rows
 */

/**
 * @typedef {object} ChartData
 * @property {string[]} windows
 * @property {string[]} windowEnds
 * @property {boolean[]} isFinal
 * @property {ChartSeries[]} series
 * @property {{at: string, label: string}[]} [marks]
 * @property {string} [unit]
 * @property {string} [note] a line under the chart
 */

/**
 * @typedef {object} ChartPoint
 * @property {string} from
 * @property {string} to
 * @property {ChartSeries} series
 */

/**
 * What a page may show in the bar above it.
 * @typedef {object} Controls
 * @property {boolean} [range]
 * @property {boolean} [refresh]
 * @property {string[]} [filters]
 */

/**
 * @typedef {object} PageView
 * @property {(signal: AbortSignal) => Promise<void>} refresh
 * @property {() => void} destroy
 */

/** @typedef {[path: string, params: URLSearchParams | Record<string, any>]} Question */

/**
 * @typedef {object} Page
 * @property {string} name
 * @property {string} title
 * @property {Controls} controls
 * @property {(root: HTMLElement, app: import("./app.js").App) => PageView} create
 * @property {(app: import("./app.js").App) => Question[]} first what its first drawing asks
 * @property {boolean} [hasCharts]
 */

/**
 * @typedef {object} Me
 * @property {string} name
 * @property {"viewer" | "operator" | "admin"} role
 * @property {string | null} workspace
 * @property {string | null} expires_at
 */

export {};
