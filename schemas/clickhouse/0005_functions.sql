-- Functions over a sketch: a map from log bin to count, as the *_bins columns hold it.
--
-- gamma = 1.005 / 0.995 = 1.0100502512562812, ln gamma = 0.010000083334583179.
-- A value of v microseconds, v >= 1, is counted in bin ceil(ln v / ln gamma), 0 in bin -1.
-- The same constants are in inferometer/core/bins.py; they never change inside one schema.
-- ClickHouse expands a function where it is used, and then computes equal parts once.

-- The milliseconds that stand for every value of a bin: right to 0.5 %.
CREATE OR REPLACE FUNCTION bin_middle_ms AS (bin) ->
    if(bin < 0, 0., 2. * exp(bin * 0.010000083334583179) / (1.0100502512562812 + 1.) / 1000.);

-- How many values a sketch holds.
CREATE OR REPLACE FUNCTION bins_count AS (bins) -> arraySum(mapValues(bins));

-- The q-quantile in milliseconds by nearest rank, sorted[min(n - 1, int(q * n))]; NULL without
-- values. q is a number or an expression of Float64 (0.99); the map needs no order.
CREATE OR REPLACE FUNCTION quantile_ms AS (bins, q) ->
    if(
        empty(bins) OR arrayCumSum(mapValues(mapSort(bins)))[-1] = 0,
        NULL,
        bin_middle_ms(
            mapKeys(mapSort(bins))[arrayFirstIndex(
                seen -> seen > least(
                    toInt64(arrayCumSum(mapValues(mapSort(bins)))[-1]) - 1,
                    toInt64(q * arrayCumSum(mapValues(mapSort(bins)))[-1])
                ),
                arrayCumSum(mapValues(mapSort(bins)))
            )]
        )
    );

-- The bin that a limit in milliseconds falls into; below every bin for a negative one.
CREATE OR REPLACE FUNCTION bin_of_ms AS (ms) ->
    multiIf(
        ms < 0, -2.,
        ms < 0.001, -1.,
        ceil(log(greatest(ms, 0.001) * 1000.) / 0.010000083334583179)
    );

-- The share of values at or below some milliseconds, 0 to 1; NULL without values. Counts every bin
-- up to the one that the limit itself falls into, whole: a value at or below the limit is never
-- missed, one that is above it by less than 1.01 % may be counted.
CREATE OR REPLACE FUNCTION share_below AS (bins, ms) ->
    if(
        arraySum(mapValues(bins)) = 0,
        NULL,
        arraySum(
            (bin, count) -> if(bin <= bin_of_ms(ms), count, 0),
            mapKeys(bins),
            mapValues(bins)
        ) / arraySum(mapValues(bins))
    );

-- The part of a whole, 0 to 1; NULL where there is no whole: success_ratio(sum(successes),
-- sum(requests)).
CREATE OR REPLACE FUNCTION success_ratio AS (successes, requests) ->
    if(requests = 0, NULL, successes / requests);

-- The one of six disjoint classes that a status code belongs to.
CREATE OR REPLACE FUNCTION status_class_of AS (code) ->
    multiIf(
        code IN (429, 499), toString(code),
        intDiv(code, 100) IN (2, 4, 5), concat(toString(intDiv(code, 100)), 'xx'),
        'other'
    );
