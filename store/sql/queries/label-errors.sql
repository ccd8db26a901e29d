-- Likely mistakes in gold: rows off the diagonal of the confident joint, least normalised margin first; up to 500.
-- Needs: labels, gold, texts
WITH probabilities AS (
    SELECT
        row,
        gold,
        gold_class,
        [confidence * exp(logit - logits[prediction + 1]) for logit in logits] AS p,
        p[gold + 1] AS self_confidence,
        if(gold = prediction, margin, self_confidence - confidence) AS normalised_margin
    FROM reviews
    WHERE gold IS NOT NULL AND prediction IS NOT NULL
), classes AS (  -- a class is likely from the mean probability that it has where it was given
    SELECT gold AS label, gold_class AS class, avg(self_confidence) AS threshold
    FROM probabilities
    GROUP BY ALL
), thresholds AS (  -- by label; null for a class that was never given
    SELECT list(threshold ORDER BY label) AS t
    FROM (SELECT unnest(range(len(p))) AS label FROM (FROM probabilities LIMIT 1)) LEFT JOIN classes USING (label)
), likely AS (  -- 1e-6: a class whose rows are all equal reaches its own mean
    SELECT
        * EXCLUDE (p, t),
        list_transform(p, lambda x, i: if(x >= t[i] - 1e-6, x, 0)) AS likely,
        list_position(likely, list_max(likely)) - 1 AS label
    FROM probabilities, thresholds
), worst AS (  -- chosen before texts are read
    SELECT row, gold_class, class, self_confidence, normalised_margin
    FROM likely JOIN classes USING (label)
    WHERE list_max(likely) > 0 AND label <> gold
    ORDER BY normalised_margin, row
    LIMIT 500
)
SELECT
    row,
    id,
    gold_class,
    worst.class AS likely_class,
    self_confidence,
    normalised_margin,
    left(text, 100) AS text
FROM worst JOIN corpus USING (row)
ORDER BY normalised_margin, row
