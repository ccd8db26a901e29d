-- Drift by shard and class: shares of predictions against the whole, in standard deviations of a row; most first.
-- Needs: labels
WITH cells AS (
    SELECT shard, prediction, class, count(*) AS rows
    FROM reviews
    WHERE prediction IS NOT NULL
    GROUP BY ALL
), shards AS (
    SELECT shard, sum(rows) AS shard_rows FROM cells GROUP BY shard
), classes AS (
    SELECT prediction, class, sum(rows) / sum(sum(rows)) OVER () AS whole FROM cells GROUP BY ALL
)
SELECT  -- also of a class that a shard has not
    shard,
    prediction,
    class,
    coalesce(rows, 0) AS rows,
    coalesce(rows, 0) / shard_rows AS share,
    whole,
    share - whole AS difference,
    difference / nullif(sqrt(whole * (1 - whole)), 0) AS standardised
FROM (FROM shards, classes) LEFT JOIN cells USING (shard, prediction, class)
ORDER BY abs(difference) DESC, shard, prediction
