-- Histogram of the entropy of the probabilities, in steps of 0.05 nats.
-- Needs: labels
WITH bins AS (  -- a bin has its lower bound
    SELECT floor(entropy * 20)::INT AS bin, count(*) AS rows
    FROM reviews
    WHERE entropy IS NOT NULL
    GROUP BY bin
)
SELECT bin / 20 AS low, (bin + 1) / 20 AS high, rows, rows / sum(rows) OVER () AS share
FROM bins
ORDER BY bin
