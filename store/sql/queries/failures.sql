-- Rows that were labelled (failure: none), failed (by reason) and cut to the maximum length, in every label set.
SELECT
    label_set,
    coalesce(labels.failure, 'none') AS failure,
    count(*) AS rows,
    count(*) / sum(count(*)) OVER (PARTITION BY label_set) AS share,
    count(*) FILTER (truncated) AS truncated,
    count(*) FILTER (truncated) / count(*) AS truncated_share
FROM labels
GROUP BY label_set, labels.failure
ORDER BY label_set, rows DESC, labels.failure
