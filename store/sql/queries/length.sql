-- Quality by length, in tokens by powers of two: confidence, margin, cut texts and, of gold rows, accuracy.
-- Needs: labels, tokens
SELECT
    (2 ^ floor(log2(greatest(n_tokens, 1))))::INT AS tokens_from,  -- of an empty text none: they count as one
    2 * tokens_from - 1 AS tokens_to,
    count(*) AS rows,
    avg(confidence) AS mean_confidence,
    avg(margin) AS mean_margin,
    count(*) FILTER (truncated) / count(*) AS truncated,
    count(gold) AS gold_rows,
    avg((gold = prediction)::INT) AS accuracy
FROM reviews
WHERE prediction IS NOT NULL
GROUP BY tokens_from
ORDER BY tokens_from
