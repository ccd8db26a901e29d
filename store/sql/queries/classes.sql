-- Class balance: the share of predictions beside the mean probability, the prior that the model believes in.
-- Needs: labels
WITH cells AS (  -- softmax without a sum: a probability is the confidence times exp(logit - largest logit)
    SELECT
        prediction,
        class,
        unnest(logits) AS logit,
        generate_subscripts(logits, 1) - 1 AS label,
        logits[prediction + 1] AS largest,
        confidence
    FROM reviews
    WHERE prediction IS NOT NULL
)
SELECT
    label AS prediction,
    max(class) FILTER (prediction = label) AS class,
    count(*) FILTER (prediction = label) AS rows,
    count(*) FILTER (prediction = label) / count(*) AS share,
    avg(confidence * exp(logit - largest)) AS mean_probability
FROM cells
GROUP BY label
ORDER BY label
