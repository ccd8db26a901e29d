-- Confident joint: rows by the class that they were given and the one that they likely have (Northcutt et al. 2021).
-- Needs: labels, gold
WITH probabilities AS (
    SELECT gold, gold_class, [confidence * exp(logit - logits[prediction + 1]) for logit in logits] AS p
    FROM reviews
    WHERE gold IS NOT NULL AND prediction IS NOT NULL
), classes AS (  -- a class is likely from the mean probability that it has where it was given
    SELECT gold AS label, gold_class AS class, count(*) AS given, avg(p[gold + 1]) AS threshold
    FROM probabilities
    GROUP BY ALL
), thresholds AS (  -- by label; null for a class that was never given
    SELECT list(threshold ORDER BY label) AS t
    FROM (SELECT unnest(range(len(p))) AS label FROM (FROM probabilities LIMIT 1)) LEFT JOIN classes USING (label)
), likely AS (  -- 1e-6: a class whose rows are all equal reaches its own mean
    SELECT gold, gold_class, list_transform(p, lambda x, i: if(x >= t[i] - 1e-6, x, 0)) AS likely
    FROM probabilities, thresholds
), joint AS (
    SELECT gold, gold_class, list_position(likely, list_max(likely)) - 1 AS label, count(*) AS rows
    FROM likely
    WHERE list_max(likely) > 0
    GROUP BY ALL
)
SELECT
    gold,
    gold_class,
    label AS likely,
    class AS likely_class,
    rows,
    rows / sum(rows) OVER (PARTITION BY gold) AS share_of_gold
FROM joint JOIN classes USING (label)
ORDER BY gold, likely
