-- Class balance of the gold that holds: of each row, the label of the last round.
-- Needs: gold
WITH held AS (
    SELECT row, arg_max(label, round) AS label, arg_max(class, round) AS class
    FROM gold
    GROUP BY row
)
SELECT label, class, count(*) AS rows, rows / sum(rows) OVER () AS share
FROM held
GROUP BY label, class
ORDER BY label
