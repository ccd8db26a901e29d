-- Histogram of the confidence, the largest probability, in steps of 0.05.
-- Needs: labels
WITH bins AS (  -- a bin has its lower bound; the last one has 1, too
    SELECT least(floor(confidence * 20), 19)::INT AS bin, count(*) AS rows
    FROM reviews
    WHERE confidence IS NOT NULL
    GROUP BY bin
)
SELECT bin / 20 AS low, (bin + 1) / 20 AS high, rows, rows / sum(rows) OVER () AS share
FROM bins
ORDER BY bin
