-- Risk-coverage curve: the share of mistakes among the gold rows of which the model is surest, in 20 steps.
-- Needs: labels, gold
WITH ranked AS (
    SELECT confidence, gold <> prediction AS wrong, ntile(20) OVER (ORDER BY confidence DESC, row) AS step
    FROM reviews
    WHERE gold IS NOT NULL AND prediction IS NOT NULL
), steps AS (
    SELECT step, count(*) AS rows, count(*) FILTER (wrong) AS wrong, min(confidence) AS least_confidence
    FROM ranked
    GROUP BY step
)
SELECT
    sum(rows) OVER surest / sum(rows) OVER () AS coverage,
    (sum(rows) OVER surest)::BIGINT AS rows,
    least_confidence,
    sum(wrong) OVER surest / sum(rows) OVER surest AS risk
FROM steps
WINDOW surest AS (ORDER BY step)
ORDER BY step
