-- Accuracy on gold rows, with its 95 % interval (Wilson 1927).
-- Needs: labels, gold
WITH counted AS (
    SELECT count(*) AS rows, count(*) FILTER (gold = prediction) AS correct, 1.959963984540054::DOUBLE AS z
    FROM reviews
    WHERE gold IS NOT NULL AND prediction IS NOT NULL
)
SELECT
    rows,
    correct,
    correct / rows AS accuracy,
    (correct + z * z / 2 - z * sqrt(correct * (rows - correct) / rows + z * z / 4)) / (rows + z * z) AS low,
    (correct + z * z / 2 + z * sqrt(correct * (rows - correct) / rows + z * z / 4)) / (rows + z * z) AS high
FROM counted
WHERE rows > 0
