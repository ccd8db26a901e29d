-- Risk-coverage curve for each predicted class, of the 100 that are predicted most.
-- Needs: labels, gold
WITH most AS (
    SELECT prediction FROM reviews WHERE prediction IS NOT NULL GROUP BY prediction
    ORDER BY count(*) DESC, prediction LIMIT 100
), ranked AS (
    SELECT
        prediction,
        confidence,
        gold <> prediction AS wrong,
        ntile(20) OVER (PARTITION BY prediction ORDER BY confidence DESC, row) AS step
    FROM reviews SEMI JOIN most USING (prediction)
    WHERE gold IS NOT NULL
), steps AS (
    SELECT prediction, step, count(*) AS rows, count(*) FILTER (wrong) AS wrong, min(confidence) AS least_confidence
    FROM ranked
    GROUP BY prediction, step
)
SELECT
    prediction,
    sum(rows) OVER surest / sum(rows) OVER (PARTITION BY prediction) AS coverage,
    (sum(rows) OVER surest)::BIGINT AS rows,
    least_confidence,
    sum(wrong) OVER surest / sum(rows) OVER surest AS risk
FROM steps
WINDOW surest AS (PARTITION BY prediction ORDER BY step)
ORDER BY prediction, step
