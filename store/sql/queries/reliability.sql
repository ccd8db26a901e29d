-- Reliability diagram: accuracy beside mean confidence on gold rows, in 15 bins of equal width (Guo et al. 2017).
-- Needs: labels, gold
SELECT
    ceil(confidence * 15)::INT AS bin,  -- from 1; a bin has its upper bound
    (bin - 1) / 15 AS low,
    bin / 15 AS high,
    count(*) AS rows,
    avg(confidence) AS mean_confidence,
    avg((gold = prediction)::INT) AS accuracy,
    mean_confidence - accuracy AS gap
FROM reviews
WHERE gold IS NOT NULL AND prediction IS NOT NULL
GROUP BY bin
ORDER BY bin
