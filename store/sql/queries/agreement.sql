-- Agreement of every two label sets: the share of rows that both labelled with the same prediction.
-- Needs: two label sets
SELECT
    a.label_set AS label_set,
    b.label_set AS other,
    count(*) AS rows,
    count(*) FILTER (a.prediction = b.prediction) AS same,
    same / rows AS share
FROM labels a JOIN labels b USING (row)
WHERE a.label_set < b.label_set AND a.prediction IS NOT NULL AND b.prediction IS NOT NULL
GROUP BY ALL
ORDER BY ALL
