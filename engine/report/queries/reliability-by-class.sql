-- Reliability diagram for each predicted class, of the 100 that are predicted most.
-- Needs: labels, gold
WITH most AS (
    SELECT prediction FROM reviews WHERE prediction IS NOT NULL GROUP BY prediction
    ORDER BY count(*) DESC, prediction LIMIT 100
)
SELECT
    prediction,
    ceil(confidence * 15)::INT AS bin,
    (bin - 1) / 15 AS low,
    bin / 15 AS high,
    count(*) AS rows,
    avg(confidence) AS mean_confidence,
    avg((gold = prediction)::INT) AS accuracy,
    mean_confidence - accuracy AS gap
FROM reviews SEMI JOIN most USING (prediction)
WHERE gold IS NOT NULL
GROUP BY prediction, bin
ORDER BY prediction, bin
