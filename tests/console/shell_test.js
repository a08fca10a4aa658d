// What the shell of the console decides without a browser; run by `deno test`.
import { deepStrictEqual, strictEqual } from "node:assert";

const CONSOLE = new URL("../../pipeline/inferometer/web/console/", import.meta.url);
const { readFilter, withFilter, writeFilter, writeNames } = await import(
  `${CONSOLE}shell/filters.js`
);
const ranges = await import(`${CONSOLE}shell/ranges.js`);
const format = await import(`${CONSOLE}format.js`);
const { labelled, ticks, tickLabel } = await import(`${CONSOLE}charts/time_axis.js`);
const { coloured, COLORS, hash } = await import(`${CONSOLE}charts/palette.js`);
const fromAnswer = await import(`${CONSOLE}charts/from_answer.js`);

const NOW = Date.UTC(2026, 10, 21, 17, 5, 30);

Deno.test("a filter survives its way through the URL", () => {
  for (
    const filter of [
      { dimension: "model", match: "=", values: ["a", "b,c", "d=e"] },
      { dimension: "user_id", match: "^=", values: ["team-"] },
      { dimension: "user_id", match: "=", values: ["CORP\\ann", "\\", "ends\\", "\\,"] },
      { dimension: "metadata.tenant", match: "!=", values: ["acme", ""] },
      { dimension: "metadata.a,b=c!d^e\\f", match: "!=", values: ["x=y"] },
      { dimension: "metadata.ends\\", match: "^=", values: ["z"] },
    ]
  ) deepStrictEqual(readFilter(writeFilter(filter)), filter);
});

Deno.test("a text without a comparison is no filter", () => {
  strictEqual(readFilter("model"), null);
  strictEqual(readFilter("=a"), null);
  strictEqual(readFilter(String.raw`a\=b`), null);
});

Deno.test("a filter is written as the server reads it: a comma and a backslash are escaped", () => {
  const values = ["a\\", "b,c"];
  strictEqual(
    writeFilter({ dimension: "user_id", match: "=", values }),
    String.raw`user_id=a\\,b\,c`,
  );
  strictEqual(
    writeFilter({ dimension: "metadata.a,b=c", match: "=", values: ["d"] }),
    String.raw`metadata.a\,b\=c=d`,
  );
  strictEqual(writeNames(["model", "metadata.a,b"]), String.raw`model,metadata.a\,b`);
});

Deno.test("a filter replaces the one on its dimension and match only", () => {
  const old = [
    { dimension: "model", match: "=", values: ["a"] },
    { dimension: "model", match: "!=", values: ["b"] },
  ];
  deepStrictEqual(withFilter(old, { dimension: "model", match: "=", values: [] }), [old[1]]);
});

Deno.test("relative and absolute texts are instants in the zone", () => {
  const { instantOf } = ranges;
  strictEqual(instantOf("now-24h", "UTC", NOW), NOW - 86_400_000);
  strictEqual(instantOf("now/d", "UTC", NOW), Date.UTC(2026, 10, 21));
  strictEqual(instantOf("now-1d/d", "Asia/Kolkata", NOW), Date.UTC(2026, 10, 19, 18, 30));
  strictEqual(instantOf("2026-11-21", "America/New_York", NOW), Date.UTC(2026, 10, 21, 5));
  strictEqual(instantOf("2026-11-21T10:30", "UTC", NOW), Date.UTC(2026, 10, 21, 10, 30));
  strictEqual(instantOf("2026-11-21T10:30:00+02:00", "UTC", NOW), Date.UTC(2026, 10, 21, 8, 30));
  strictEqual(Number.isNaN(instantOf("tomorrow", "UTC", NOW)), true);
});

Deno.test("a range is called by its preset or its ends", () => {
  strictEqual(ranges.rangeLabel("now-7d", "now", "UTC", NOW), "Last 7 days");
  strictEqual(ranges.rangeLabel("now-45m", "now", "UTC", NOW), "Last 45 min");
  strictEqual(
    ranges.rangeLabel("2026-11-21T10:00Z", "2026-11-21T12:00Z", "UTC", NOW),
    "2026-11-21 10:00 – 12:00",
  );
});

Deno.test("no granularity makes more windows than the server answers", () => {
  for (const span_s of [900, 86_400, 90 * 86_400]) {
    for (const { value } of ranges.granularitiesFor(span_s)) {
      const { seconds } = ranges.GRANULARITIES.find((one) => one.value === value);
      strictEqual(seconds === 0 || span_s / seconds <= 1500, true);
    }
  }
});

Deno.test("automatic granularity leaves windows that can be told apart", () => {
  strictEqual(ranges.granularityFor("auto", 86_400), "15m");
  strictEqual(ranges.granularityFor("auto", 7 * 86_400), "1h");
  strictEqual(ranges.granularityFor("auto", 900), "auto");
  strictEqual(ranges.granularityFor("1d", 86_400), "1d");
});

Deno.test("automatic granularity says what it came to", () => {
  const auto = (...asked) => ranges.granularitiesFor(...asked)[0].label;
  strictEqual(auto(86_400), "Auto (15m)");
  strictEqual(auto(900), "Auto", "the server chooses");
});

Deno.test("ticks of days stand at midnight on both sides of a change of the clocks", () => {
  const start = Date.parse("2026-10-24T00:00:00+02:00");
  const end = Date.parse("2026-10-28T00:00:00+01:00");
  const found = ticks(start, end, "Europe/Berlin", 6);
  deepStrictEqual(found.map((at) => tickLabel(at, end - start, "Europe/Berlin")), [
    "24 Oct",
    "25 Oct",
    "26 Oct",
    "27 Oct",
    "28 Oct",
  ]);
});

Deno.test("ticks stay inside the axis and are never too many", () => {
  for (const span_ms of [60_000, 900_000, 86_400_000, 7 * 86_400_000, 400 * 86_400_000]) {
    const found = ticks(NOW - span_ms, NOW, "Asia/Kathmandu", 8);
    strictEqual(found.every((at) => at >= NOW - span_ms && at <= NOW), true);
    strictEqual(found.length >= 1 && found.length <= 13, true, `${span_ms}: ${found.length}`);
  }
});

Deno.test("a tick under the end of an axis has no label, which would be cut", () => {
  const [start, end] = [Date.UTC(2026, 10, 21, 1, 45, 30), Date.UTC(2026, 10, 21, 1, 50, 30)];
  const at = ticks(start, end, "UTC", 12);
  strictEqual(at.at(-1), end);
  deepStrictEqual(labelled(at, start, end, "UTC", 1000), at.slice(0, -1));
  // Where there is room beside the last one, all have theirs.
  deepStrictEqual(labelled(at.slice(0, -1), start, end, "UTC", 1000), at.slice(0, -1));
});

Deno.test("values are written in their unit", () => {
  const cases = [
    [[1234, "count"], "1,234"],
    [[1_240_000, "tokens"], "1.24 M"],
    [[999_960, "count"], "1 M"],
    [[0.00001234, "usd"], "$0.0000123"],
    [[0.0312, "usd"], "$0.0312"],
    [[1234.5, "usd"], "$1,235"],
    [[245.4, "ms"], "245 ms"],
    [[1240, "ms"], "1.24 s"],
    [[5900, "ms"], "5.90 s"],
    [[5.9, "ms"], "5.90 ms"],
    [[0, "ms"], "0 ms"],
    [[120_000, "ms"], "2.0 min"],
    [[0.9995, "ratio"], "99.95 %"],
    [[0.999999, "ratio"], "99.9999 %"],
    [[1, "ratio"], "100 %"],
    [[0.95, "per_min"], "0.95 /min"],
    [[93_784, "s"], "1 d 2 h"],
    [[null, "ms"], "–"],
  ];
  for (const [[value, unit], text] of cases) strictEqual(format.formatValue(value, unit), text);
  strictEqual(format.formatValue(1.031, "ratio", { name: "retry_inflation" }), "× 1.031");
});

Deno.test("all values of an axis have one unit", () => {
  const labels = (values, unit, most) =>
    values.map((value) => format.formatTick(value, unit, most));
  deepStrictEqual(
    labels([0, 30_000, 60_000, 90_000, 120_000], "ms", 112_000),
    ["0 s", "30 s", "60 s", "90 s", "120 s"],
  );
  deepStrictEqual(labels([0, 500, 1000], "ms", 999), ["0 ms", "500 ms", "1,000 ms"]);
  deepStrictEqual(labels([0, 0.5, 1], "ms", 0.9), ["0 ms", "0.5 ms", "1 ms"]);
  deepStrictEqual(labels([0, 500, 1000, 1500], "ms", 1400), ["0 s", "0.5 s", "1 s", "1.5 s"]);
  deepStrictEqual(labels([0, 60, 120], "s", 110), ["0 s", "60 s", "120 s"]);
  deepStrictEqual(labels([0.5], "usd", 1), ["$0.50"]);
});

Deno.test("a share that is not whole is never rounded to the whole", () => {
  strictEqual(format.formatRatio(0.9999999).startsWith("99.9999"), true);
  strictEqual(format.formatRatio(-0.8242), "−82.4 %");
  strictEqual(format.formatRatio(1.004), "100.4 %");
  // Of an overspent budget nobody wants to know two places.
  strictEqual(format.formatRatio(-1.2091), "−121 %");
});

Deno.test("a change says how much, and whether that is good", () => {
  deepStrictEqual(format.formatChange(110, 100, "ms", true), { text: "+10 %", kind: "worse" });
  deepStrictEqual(format.formatChange(0.99, 0.98, "ratio", false), {
    text: "+1 pp",
    kind: "better",
  });
  deepStrictEqual(format.formatChange(5, 0, "count", null), { text: "new", kind: "neutral" });
  deepStrictEqual(format.formatChange(5, null, "count", null), { text: "", kind: "neutral" });
});

Deno.test("instants are written in the reader's zone", () => {
  strictEqual(format.formatInstant(NOW, "Asia/Kolkata"), "2026-11-21 22:35");
  strictEqual(format.formatInstant(null, "UTC"), "–");
});

Deno.test("names that differ in a digit get hashes that differ", () => {
  const found = new Set(Array.from({ length: 200 }, (_, at) => hash(`model=m-${at}`)));
  strictEqual(found.size, 200);
});

/** Series of a dimension that no other test has colours of. */
function seriesOf(dimension, values) {
  return values.map((value) => ({ key: value, label: value, values: [], dimension, value }));
}

Deno.test("series of one chart differ in colour, whatever the values took before", () => {
  const names = Array.from({ length: 4 * COLORS }, (_, at) => `m-${at}`);
  // A visitor has seen so many models that each colour is taken several times.
  for (const name of names) coloured(seriesOf("crowd", [name]));
  const shown = coloured(seriesOf("crowd", names.filter((_, at) => at % 4 === 0)));
  strictEqual(new Set(shown.map((one) => one.color)).size, COLORS);
  const again = coloured(seriesOf("crowd", names.filter((_, at) => at % 4 === 0)));
  deepStrictEqual(again.map((one) => one.color), shown.map((one) => one.color));
});

Deno.test("a colour moves once: charts with other neighbours do not take turns", () => {
  const colorsOf = (...values) => coloured(seriesOf("turns", values)).map((one) => one.color);
  for (let at = 0; at < 3 * COLORS; at += 1) colorsOf(`m-${at}`);
  const draw = () => [colorsOf("m-0", "m-1", "m-2"), colorsOf("m-2", "m-1", "m-0")];
  draw();
  deepStrictEqual(draw(), draw());
});

Deno.test("colours that a page chose stay, and no other series takes them", () => {
  const [own, other] = [{ key: "a", color: "--series-0" }, ...seriesOf("own", ["b"])];
  const many = coloured([own, other, ...seriesOf("own", ["c", "d", "e", "f", "g", "h", "i", "j"])]);
  strictEqual(many[0].color, "--series-0");
  strictEqual(new Set(many.map((one) => one.color)).size, COLORS);
});

Deno.test("one chart is drawn a frame, each once and in the order of asking", async () => {
  /** @type {(() => void)[]} */
  const frames = [];
  globalThis.requestAnimationFrame = (run) => frames.push(run);
  const { inTurn } = await import(`${CONSOLE}charts/turns.js`);
  const drawn = [];
  const [a, b] = [() => drawn.push("a"), () => drawn.push("b")];
  for (const draw of [a, b, a]) inTurn(draw);
  deepStrictEqual(drawn, []);
  const nextFrame = () => frames.shift()();
  nextFrame();
  deepStrictEqual(drawn, ["a"]);
  inTurn(a);
  nextFrame();
  nextFrame();
  deepStrictEqual(drawn, ["a", "b", "a"]);
  deepStrictEqual(frames, []);
});

Deno.test("what is asked ahead is answered once, and a refusal to strangers is forgotten", async () => {
  const { Api } = await import(`${CONSOLE}shell/api.js`);
  const asked = [];
  let status = 200;
  const before = globalThis.fetch;
  globalThis.fetch = (url) => {
    asked.push(url);
    return Promise.resolve(new Response(JSON.stringify({ number: asked.length }), { status }));
  };
  try {
    const api = new Api(() => {});
    api.askAhead("/metrics", { measure: ["a", "b"], from: "now-1h" });
    const same = new URLSearchParams("measure=a&measure=b&from=now-1h");
    deepStrictEqual(await api.get("/metrics", same), { number: 1 });
    deepStrictEqual(await api.get("/metrics", same), { number: 2 });
    deepStrictEqual(asked, Array(2).fill("/api/v1/metrics?measure=a&measure=b&from=now-1h"));

    api.askAhead("/oncall", {});
    api.forgetAhead();
    deepStrictEqual(await api.get("/oncall"), { number: 4 });

    api.askAhead("/oncall", {});
    const left = new AbortController();
    const answer = api.get("/oncall", {}, { signal: left.signal });
    left.abort();
    strictEqual((await answer.catch((error) => error)).name, "AbortError");

    status = 401;
    api.askAhead("/oncall", {});
    await new Promise((resolve) => setTimeout(resolve));
    status = 200;
    deepStrictEqual(await api.get("/oncall"), { number: 7 });
  } finally {
    globalThis.fetch = before;
  }
});

Deno.test("what is compared says of what it is, and that it is no group among groups", () => {
  const labels = (/** @type {any} */ query) => {
    const answer = {
      query,
      windows: ["2026-11-21T10:00:00Z"],
      window_ends: ["2026-11-21T11:00:00Z"],
      is_final: [true],
      measures: [],
      values: { requests: [1] },
      compared: { values: { requests: [2] } },
      series: [{ group: { model: "a" }, values: { requests: [1] } }],
    };
    return fromAnswer.seriesOf(answer, "requests").series.map((/** @type {any} */ one) =>
      one.label
    );
  };
  deepStrictEqual(labels({ compare: "previous" }), ["This period", "Previous period"]);
  deepStrictEqual(labels({ compare: "previous", group_by: ["model"] }), [
    "a",
    "Previous period, all",
  ]);
  deepStrictEqual(labels({ compare: "baseline" }), ["All", "Everybody"]);
});
