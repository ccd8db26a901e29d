-- Histogram of the entropy for each predicted class, of the 100 that are predicted most.
-- Needs: labels
WITH most AS (
    SELECT prediction FROM reviews WHERE prediction IS NOT NULL GROUP BY prediction
    ORDER BY count(*) DESC, prediction LIMIT 100
), bins AS (
    SELECT prediction, floor(entropy * 20)::INT AS bin, count(*) AS rows
    FROM reviews SEMI JOIN most USING (prediction)
    WHERE entropy IS NOT NULL
    GROUP BY ALL
)
SELECT prediction, bin / 20 AS low, (bin + 1) / 20 AS high, rows, rows / sum(rows) OVER (PARTITION BY prediction) AS share
FROM bins
ORDER BY prediction, bin
