-- Surest mistakes: 100 rows whose prediction is not their gold label, the largest confidence first.
-- Needs: labels, gold
SELECT row, gold_class, class, confidence, margin
FROM reviews
WHERE gold <> prediction
ORDER BY confidence DESC, row
LIMIT 100
