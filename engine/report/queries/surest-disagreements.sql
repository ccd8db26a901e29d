-- Surest disagreements: 100 rows that another label set calls something else, where the less sure of both is surest.
-- Needs: labels, two label sets
SELECT
    row,
    a.class AS class,
    a.confidence AS confidence,
    b.label_set AS other,
    b.class AS other_class,
    b.confidence AS other_confidence
FROM reviews a JOIN labels b USING (row)
WHERE a.label_set <> b.label_set AND a.prediction <> b.prediction
ORDER BY least(a.confidence, b.confidence) DESC, row, other
LIMIT 100
