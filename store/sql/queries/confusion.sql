-- Confusion matrix on gold rows; on its diagonal, the share of gold is the recall and that of predicted the precision.
-- Needs: labels, gold
WITH cells AS (
    SELECT gold, gold_class, prediction, class, count(*) AS rows
    FROM reviews
    WHERE gold IS NOT NULL AND prediction IS NOT NULL
    GROUP BY ALL
)
SELECT
    *,
    rows / sum(rows) OVER (PARTITION BY gold) AS share_of_gold,
    rows / sum(rows) OVER (PARTITION BY prediction) AS share_of_predicted
FROM cells
ORDER BY gold, prediction
