-- Rows that could not be labelled, with the reason: the first 100.
-- Needs: labels
SELECT row, failure
FROM reviews
WHERE failure IS NOT NULL
ORDER BY row
LIMIT 100
