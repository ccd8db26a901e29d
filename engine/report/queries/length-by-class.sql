-- Quality by length for each predicted class, of the 100 that are predicted most.
-- Needs: labels, tokens
WITH most AS (
    SELECT prediction FROM reviews WHERE prediction IS NOT NULL GROUP BY prediction
    ORDER BY count(*) DESC, prediction LIMIT 100
)
SELECT
    prediction,
    (2 ^ floor(log2(greatest(n_tokens, 1))))::INT AS tokens_from,
    2 * tokens_from - 1 AS tokens_to,
    count(*) AS rows,
    avg(confidence) AS mean_confidence,
    avg(margin) AS mean_margin,
    count(*) FILTER (truncated) / count(*) AS truncated,
    count(gold) AS gold_rows,
    avg((gold = prediction)::INT) AS accuracy
FROM reviews SEMI JOIN most USING (prediction)
GROUP BY prediction, tokens_from
ORDER BY prediction, tokens_from
