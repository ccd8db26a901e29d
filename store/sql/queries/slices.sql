-- Quality by slice, the value of an expression (--by): share, failures, classes, near-ties and, of gold, accuracy.
-- Needs: labels
WITH sliced AS (
    SELECT
        class AS slice,  -- by: any expression over the columns of reviews can stand before AS
        prediction,
        class,
        confidence,
        margin,
        gold
    FROM reviews
), cells AS (
    SELECT
        slice,
        prediction,
        any_value(class) AS class,
        count(*) AS rows,
        sum(confidence) AS confidence,
        sum(margin) AS margin,
        count(*) FILTER (margin < 0.1) AS near_ties,
        count(gold) FILTER (prediction IS NOT NULL) AS gold_rows,
        count(*) FILTER (gold = prediction) AS correct
    FROM sliced
    GROUP BY slice, prediction
), ranked AS (  -- by size
    SELECT *, dense_rank() OVER (ORDER BY slice_rows DESC, slice) AS rank
    FROM (SELECT *, sum(rows) OVER (PARTITION BY slice) AS slice_rows FROM cells)
), merged AS (  -- behind the 100th all are one
    SELECT
        least(rank, 101) AS place,
        prediction,
        any_value(class) AS class,
        if(place > 100, NULL, any_value(slice)) AS slice,
        max(rank) - place + 1 AS slices,
        sum(rows) AS rows,
        sum(confidence) AS confidence,
        sum(margin) AS margin,
        sum(near_ties) AS near_ties,
        sum(gold_rows) AS gold_rows,
        sum(correct) AS correct,
        sum(sum(rows)) FILTER (prediction IS NOT NULL) OVER (PARTITION BY place) AS labelled
    FROM ranked
    GROUP BY place, prediction
), slices AS (
    SELECT
        place,
        any_value(slice) AS slice,
        max(slices) AS slices,  -- 1, or how many the last line has together
        sum(rows)::BIGINT AS rows,
        (sum(rows) FILTER (prediction IS NULL))::BIGINT AS failed,
        any_value(labelled)::BIGINT AS labelled,
        list(class || ' ' || round(100 * rows / labelled)::INT || ' %' ORDER BY rows DESC, prediction)
            FILTER (prediction IS NOT NULL) AS classes,
        sum(confidence) / any_value(labelled) AS mean_confidence,
        sum(margin) / any_value(labelled) AS mean_margin,
        sum(near_ties) / any_value(labelled) AS near_ties,
        sum(gold_rows)::BIGINT AS gold_rows,
        sum(correct)::BIGINT AS correct,
        nullif(sum(gold_rows), 0)::BIGINT AS n,
        1.959963984540054::DOUBLE AS z
    FROM merged
    GROUP BY place
)
SELECT
    slice,
    slices,
    rows,
    rows / sum(rows) OVER () AS share,
    coalesce(failed, 0) AS failures,
    array_to_string(classes[:3], ', ') AS classes,
    mean_confidence,
    mean_margin,
    near_ties,
    gold_rows,
    correct / n AS accuracy,
    (correct + z * z / 2 - z * sqrt(correct * (n - correct) / n + z * z / 4)) / (n + z * z) AS low,
    (correct + z * z / 2 + z * sqrt(correct * (n - correct) / n + z * z / 4)) / (n + z * z) AS high
FROM slices
ORDER BY place
