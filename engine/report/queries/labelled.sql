-- Rows of the label set, and how sure it is.
-- Needs: labels
SELECT
    count(*) AS rows,
    count(prediction) AS labelled,
    count(failure) AS failed,
    count(*) FILTER (truncated) AS truncated,
    avg(confidence) AS mean_confidence,
    count(*) FILTER (confidence < 0.6) / count(prediction) AS unsure
FROM reviews
