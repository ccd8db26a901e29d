-- Predictions that another label set turns: how many, how sure both are, and which of them is right on gold rows.
-- Needs: labels, two label sets
SELECT
    other.label_set AS other,
    reviews.class AS class,
    other.class AS other_class,
    count(*) AS rows,
    avg(reviews.confidence) AS mean_confidence,
    avg(other.confidence) AS other_mean_confidence,
    count(reviews.gold) AS gold_rows,
    count(*) FILTER (reviews.gold = reviews.prediction) AS right,
    count(*) FILTER (reviews.gold = other.prediction) AS other_right
FROM reviews JOIN labels other USING (row)
WHERE other.label_set <> reviews.label_set AND reviews.prediction <> other.prediction
GROUP BY other.label_set, reviews.prediction, reviews.class, other.prediction, other.class
ORDER BY other.label_set, rows DESC, reviews.prediction, other.prediction
