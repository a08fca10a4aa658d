// What Overview, Logs, Cost and Pipeline decide without a browser; run by `deno test`.
import { deepStrictEqual, strictEqual } from "node:assert";

const PAGES = new URL("../../pipeline/inferometer/web/console/pages/", import.meta.url);
const bytes = await import(`${PAGES}record_bytes.js`);
const { arrange } = await import(`${PAGES}log_fields.js`);
const { KEPT_S, LiveSeconds, SHOWN_MODELS } = await import(`${PAGES}live_seconds.js`);
const { isPriceOf } = await import(`${PAGES}price_rules.js`);
const { happening, suppressionWord } = await import(`${PAGES}incident_words.js`);
const { volumeQuery } = await import(`${PAGES}log_query.js`);
const { windowLength } = await import(`${PAGES}window_lengths.js`);
const { scopeQuery, spanQuery } = await import(`${PAGES}span_query.js`);

/** An application whose URL has these parameters. */
function appOf(search) {
  const params = new URLSearchParams(search);
  return {
    zone: "UTC",
    state: {
      get: (name, fallback = "") => params.get(name) ?? fallback,
      all: (name) => params.getAll(name),
      from: params.get("from") ?? "now-24h",
      to: params.get("to") ?? "now",
      filters: params.getAll("filter"),
    },
    query(extra = {}) {
      const query = new URLSearchParams({ from: this.state.from, to: this.state.to });
      for (const filter of params.getAll("filter")) query.append("filter", filter);
      for (const [name, value] of Object.entries(extra)) {
        for (const one of [value].flat()) if (one !== null) query.append(name, one);
      }
      return query;
    },
  };
}

Deno.test("who mutes an incident that fires is told apart: people, or another incident", () => {
  strictEqual(suppressionWord([]), "");
  strictEqual(suppressionWord(["maintenance:drivers", "incident-7"]), "silenced");
  strictEqual(suppressionWord(["silence:0a1b"]), "silenced");
  strictEqual(suppressionWord(["incident-7"]), "inhibited");
});

Deno.test("bytes are dumped as offset, hexadecimal and what can be printed", () => {
  const lines = bytes.hexDump(bytes.bytesOf(btoa("\x00\xffARROW1 and more!~"))).split("\n");
  strictEqual(
    lines[0],
    "00000000  00 ff 41 52 52 4f 57 31  20 61 6e 64 20 6d 6f 72  |..ARROW1 and mor|",
  );
  strictEqual(lines[1], `00000010  ${"65 21 7e".padEnd(48)}  |e!~|`);
});

Deno.test("a text that is JSON is indented, one that is cut stays as it came", () => {
  strictEqual(bytes.indented('{"a":1}'), '{\n  "a": 1\n}');
  strictEqual(bytes.indented('{"a":1'), '{"a":1');
});

Deno.test("a row shows what it has, and says how much it leaves out", () => {
  const row = { status_code: 200, error_type: "", input_tokens: 0, images: 0, is_final: false };
  const { sections, empty } = arrange(row, false);
  deepStrictEqual(
    sections.map(({ title, entries }) => [title, entries.map(({ field }) => field.column)]),
    [["Outcome", ["status_code"]], ["Request", ["is_final"]], ["Usage", ["input_tokens"]]],
  );
  strictEqual(empty, 2);
  strictEqual(arrange(row, true).sections.flatMap(({ entries }) => entries).length, 5);
});

Deno.test("a column that the console does not know still shows", () => {
  const { sections } = arrange({ new_field: "value" }, false);
  deepStrictEqual(sections.map(({ title }) => title), ["Other"]);
});

/** An event of `/live` with one model. */
function told(firstSecond, requests, watermark = null) {
  return {
    watermark,
    seconds: requests.map((_, at) => new Date((firstSecond + at) * 1000).toISOString()),
    models: ["a"],
    requests: { a: requests },
    failures: { a: requests.map(() => 0) },
  };
}

Deno.test("a second that is told again replaces what was known of it", () => {
  const live = new LiveSeconds();
  live.restart(told(100, [1, 2, 3]));
  live.take(told(102, [5, 4]));
  deepStrictEqual(live.values("requests", "a"), [1, 2, 5, 4]);
});

Deno.test("no more seconds are kept than are shown", () => {
  const live = new LiveSeconds();
  live.restart(told(0, new Array(KEPT_S).fill(1)));
  live.take(told(KEPT_S, [7, 8]));
  strictEqual(live.seconds.length, KEPT_S);
  strictEqual(live.values("requests", "a").at(-1), 8);
});

Deno.test("rates are of complete seconds", () => {
  const live = new LiveSeconds();
  live.restart(told(100, [1, 2, 4, 8], new Date(103_000).toISOString()));
  strictEqual(live.sum("requests", 2), 6);
});

/** An event of `/live` about one second, with the requests of each model in it. */
function second(at_s, requests) {
  const lists = Object.fromEntries(Object.entries(requests).map(([name, n]) => [name, [n]]));
  return {
    watermark: null,
    seconds: [new Date(at_s * 1000).toISOString()],
    models: Object.keys(requests),
    requests: lists,
    failures: lists,
  };
}

Deno.test("models keep their places for a minute, so that nothing jumps each second", () => {
  const live = new LiveSeconds();
  live.restart(second(60, { a: 3, b: 2 }));
  deepStrictEqual(live.models, ["a", "b"]);
  live.take(second(61, { b: 9, c: 20 }));
  deepStrictEqual(live.models, ["a", "b", "c"]);
  live.take(second(120, { b: 1 }));
  deepStrictEqual(live.models, ["c", "b", "a"]);
});

Deno.test("models beyond those that can be told apart are one series", () => {
  const live = new LiveSeconds();
  const requests = Object.fromEntries(
    Array.from({ length: SHOWN_MODELS + 2 }, (_, at) => [`m-${at}`, 10 - at]),
  );
  live.restart(second(60, requests));
  deepStrictEqual(live.models.slice(-2), [`m-${SHOWN_MODELS - 1}`, "__other__"]);
  deepStrictEqual(live.values("requests", "__other__"), [3 + 2]);
  const all = live.models.reduce((sum, model) => sum + live.values("requests", model)[0], 0);
  strictEqual(all, Object.values(requests).reduce((a, b) => a + b));
});

Deno.test("a price is for the models that its rule names", () => {
  const rule = (match) => ({ model: "listed", model_match: JSON.stringify(match) });
  strictEqual(isPriceOf({ model: "GPT-4o", model_match: "" }, "gpt-4o"), true);
  strictEqual(isPriceOf({ model: "gpt-4o", model_match: "" }, "gpt-4o-mini"), false);
  strictEqual(isPriceOf(rule({ model: "acme/llama-3.1-*" }), "acme/llama-3.1-70b"), true);
  strictEqual(isPriceOf(rule({ model: "acme/llama-3.1-*" }), "acme/llama-3x1-70b"), false);
  const either = {
    or: [{ starts_with: "claude-" }, { and: [{ contains: "o" }, { ends_with: "1" }] }],
  };
  strictEqual(isPriceOf(rule(either), "claude-sonnet"), true);
  strictEqual(isPriceOf(rule(either), "o1"), true);
  strictEqual(isPriceOf(rule(either), "o3"), false);
  strictEqual(isPriceOf({ model: "x", model_match: "no rule" }, "y"), false);
});

Deno.test("statuses of one kind narrow the counts, of both kinds they cannot", () => {
  const filtersOf = (search) => volumeQuery(appOf(search))?.getAll("filter");
  deepStrictEqual(filtersOf("status=5xx&status=429&filter=model%3Da"), [
    "model=a",
    "status_class=5xx,429",
  ]);
  deepStrictEqual(filtersOf("status=503"), ["status_code=503"]);
  strictEqual(volumeQuery(appOf("status=5xx&status=404")), null);
  strictEqual(volumeQuery(appOf("request_id=req-1")), null);
  strictEqual(volumeQuery(appOf("final_only=true")).get("measure"), "requests");
});

Deno.test("windows are a few dozen, unless the URL says otherwise", () => {
  strictEqual(windowLength(appOf("from=now-24h")), "30m");
  strictEqual(windowLength(appOf("from=now-7d")), "3h");
  strictEqual(windowLength(appOf("from=now-7d&granularity=1d")), "1d");
  // Shorter windows than a minute, and long spans, are left to the server.
  strictEqual(windowLength(appOf("from=now-15m")), null);
  strictEqual(windowLength(appOf("from=now-90d")), null);
});

Deno.test("routes that take no filters get none", () => {
  const app = appOf("filter=model%3Da");
  deepStrictEqual([...spanQuery(app).keys()], ["from", "to"]);
  deepStrictEqual([...scopeQuery(app).keys()], ["filter"]);
});

Deno.test("what happens to the rules of an incident is told in words", () => {
  for (const kind of ["severity_rose", "true_again", "stale", "fresh", "flapping", "resolved"]) {
    const said = happening(`rule_${kind}`);
    strictEqual(/^Rule /.test(said), true, said);
  }
});
