-- Drift by shard: mean confidence against the whole, in standard deviations of a row; what differs most comes first.
-- Needs: labels
WITH shards AS (
    SELECT shard, count(*) AS rows, sum(confidence) AS total, sum(confidence::DOUBLE * confidence) AS squares
    FROM reviews
    WHERE prediction IS NOT NULL
    GROUP BY shard
), store AS (
    SELECT
        sum(total) / sum(rows) AS mean,
        sqrt(greatest(0, sum(squares) / sum(rows) - (sum(total) / sum(rows)) ^ 2)) AS deviation
    FROM shards
)
SELECT
    shard,
    rows,
    total / rows AS mean_confidence,
    mean AS whole,
    mean_confidence - whole AS difference,
    difference / nullif(deviation, 0) AS standardised
FROM shards, store
ORDER BY abs(difference) DESC, shard
