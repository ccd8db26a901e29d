-- Class balance of gold.
-- Needs: gold
SELECT label, class, count(*) AS rows, rows / sum(rows) OVER () AS share
FROM (SELECT label, class FROM corpus WHERE label IS NOT NULL)
GROUP BY label, class
ORDER BY label
