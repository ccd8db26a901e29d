-- Confusion of every two label sets: how many rows one calls this and the other that, and how sure they are.
-- Needs: two label sets
SELECT
    a.label_set AS label_set,
    b.label_set AS other,
    a.prediction AS prediction,
    any_value(a.class) AS class,
    b.prediction AS other_prediction,
    any_value(b.class) AS other_class,
    count(*) AS rows,
    avg(a.confidence) AS mean_confidence,
    avg(b.confidence) AS other_mean_confidence
FROM labels a JOIN labels b USING (row)
WHERE a.label_set < b.label_set AND a.prediction IS NOT NULL AND b.prediction IS NOT NULL
GROUP BY a.label_set, b.label_set, a.prediction, b.prediction
ORDER BY a.label_set, b.label_set, a.prediction, b.prediction
