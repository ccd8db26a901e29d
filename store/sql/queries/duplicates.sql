-- Equal texts (but for case and white space) with different predictions: up to 100, those with most copies first.
-- Needs: labels
WITH split AS (
    SELECT text_hash
    FROM reviews
    WHERE prediction IS NOT NULL
    GROUP BY text_hash
    HAVING min(prediction) <> max(prediction)
)
SELECT
    text_hash,
    count(*) AS rows,
    list(DISTINCT class ORDER BY class) AS classes,
    min(row) AS first_row,
    max(row) AS last_row,
    min(confidence) AS least_confidence,
    max(confidence) AS largest_confidence
FROM reviews SEMI JOIN split USING (text_hash)
WHERE prediction IS NOT NULL
GROUP BY text_hash
ORDER BY rows DESC, first_row
LIMIT 100
