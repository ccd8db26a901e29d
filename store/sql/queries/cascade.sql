-- Cascade: accuracy on gold rows if those of which the labels are least sure go to another label set, in 20 steps.
-- Needs: labels, two label sets, gold
WITH judged AS (
    SELECT
        other.label_set AS other,
        reviews.confidence AS confidence,
        (reviews.gold = reviews.prediction)::INTEGER AS alone,
        (reviews.gold = other.prediction)::INTEGER AS helped,
        ntile(20) OVER (PARTITION BY other.label_set ORDER BY reviews.confidence, reviews.row) AS step
    FROM reviews JOIN labels other USING (row)
    WHERE other.label_set <> reviews.label_set AND gold IS NOT NULL
        AND reviews.prediction IS NOT NULL AND other.prediction IS NOT NULL
), steps AS (
    SELECT other, step, count(*) AS rows, max(confidence) AS most_confidence, sum(helped) - sum(alone) AS gained
    FROM judged
    GROUP BY ALL
    UNION ALL
    SELECT other, 0, 0, 0, 0 FROM judged GROUP BY ALL
), totals AS (
    SELECT other, count(*) AS rows, sum(alone) AS alone FROM judged GROUP BY ALL
)
SELECT
    other,
    sum(steps.rows) OVER unsure / totals.rows AS deferred,
    (sum(steps.rows) OVER unsure)::BIGINT AS rows,
    totals.rows AS gold_rows,  -- that both labelled
    steps.most_confidence AS most_confidence,
    (totals.alone + sum(steps.gained) OVER unsure) / totals.rows AS accuracy
FROM steps JOIN totals USING (other)
WINDOW unsure AS (PARTITION BY other ORDER BY steps.step)
ORDER BY other, steps.step
