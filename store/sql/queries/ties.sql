-- Near-ties: the 100 rows whose two most probable classes are closest.
-- Needs: labels, texts
WITH closest AS (  -- chosen before texts are read
    SELECT row, class, confidence, margin
    FROM reviews
    WHERE margin IS NOT NULL
    ORDER BY margin, row
    LIMIT 100
)
SELECT row, id, closest.class, confidence, margin, left(text, 100) AS text
FROM closest JOIN corpus USING (row)
ORDER BY margin, row
