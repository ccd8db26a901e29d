-- Accuracy and class shares of all rows, or of slices (--by), from labels and a random sample of gold, within 95 %.
-- Needs: labels, gold
-- Prediction-powered inference (Angelopoulos et al. 2023, with the weight of PPI++) beside gold alone and the labels
-- alone. Only gold that was drawn at random counts for all rows: name its round with --round. Intervals are Wilson's,
-- at the number of rows that the variance is worth (Korn and Graubard 1998). Where fewer than ten gold rows are right,
-- or wrong, too little is known of the variance, and gold alone speaks.
WITH rows_ AS (
    SELECT
        'all' AS slice,  -- by: any expression over the columns of reviews can stand before AS
        gold,
        gold_class,
        prediction,
        class,
        confidence,
        logits
    FROM reviews
    WHERE prediction IS NOT NULL
), names AS (
    SELECT label, any_value(name) AS name
    FROM (SELECT prediction AS label, class AS name FROM rows_ UNION SELECT gold, gold_class FROM rows_)
    GROUP BY label
), cells AS (  -- a probability is the confidence times exp(logit - largest logit)
    SELECT
        slice,
        gold,
        unnest(logits) AS logit,
        generate_subscripts(logits, 1) - 1 AS label,
        logits[prediction + 1] AS largest,
        confidence
    FROM rows_
), moments AS (  -- truth is null without gold; guess is what the soft label expects of it
    SELECT
        slice,
        label,
        name,
        count(truth) AS n,
        sum(truth) AS hits,
        count(*) - count(truth) AS m,
        avg(guess) AS labels_alone,
        avg(truth) AS truth,
        avg(guess) FILTER (truth IS NOT NULL) AS guess_of_gold,
        avg(guess) FILTER (truth IS NULL) AS guess_of_others,
        var_samp(truth) AS var_truth,
        var_samp(guess) FILTER (truth IS NOT NULL) AS var_of_gold,
        var_samp(guess) FILTER (truth IS NULL) AS var_of_others,
        covar_samp(guess, truth) AS covariance,
        covar_samp(guess, truth) / ((1 + n / m) * var_samp(guess)) AS best_weight
    FROM (
        SELECT slice, -1 AS label, (gold = prediction)::DOUBLE AS truth, confidence::DOUBLE AS guess
        FROM rows_
        UNION ALL
        SELECT slice, label, (gold = label)::DOUBLE, confidence::DOUBLE * exp(logit - largest)
        FROM cells
    )
    LEFT JOIN names USING (label)
    GROUP BY slice, label, name
    HAVING count(truth) > 0
), weighed AS (
    SELECT
        *,
        if(m > 1 AND isfinite(best_weight) AND least(hits, n - hits) >= 10, least(greatest(best_weight, 0), 1), 0)
            AS weight,
        (var_truth - 2 * weight * covariance + weight ^ 2 * var_of_gold) / n
            + weight ^ 2 * var_of_others / m AS variance,
        if(weight > 0, least(greatest(truth + weight * (guess_of_others - guess_of_gold), 0), 1), truth) AS estimate,
        if(weight > 0 AND variance > 0 AND estimate BETWEEN 1e-9 AND 1 - 1e-9, estimate * (1 - estimate) / variance, n)
            AS worth,
        1.959963984540054::DOUBLE AS z
    FROM moments
), bounded AS (  -- Wilson 1927
    SELECT
        *,
        (truth + z * z / (2 * n)) / (1 + z * z / n) AS gold_middle,
        z * sqrt(truth * (1 - truth) / n + z * z / (4 * n * n)) / (1 + z * z / n) AS gold_half,
        (estimate + z * z / (2 * worth)) / (1 + z * z / worth) AS middle,
        z * sqrt(estimate * (1 - estimate) / worth + z * z / (4 * worth * worth)) / (1 + z * z / worth) AS half
    FROM weighed
)
SELECT
    slice,
    nullif(label, -1) AS label,  -- null for accuracy
    if(bounded.label < 0, 'accuracy', 'share of ' || coalesce(name, 'class ' || bounded.label)) AS estimand,
    n AS gold_rows,
    m AS other_rows,
    labels_alone,
    truth AS gold_alone,
    greatest(gold_middle - gold_half, 0) AS gold_low,
    least(gold_middle + gold_half, 1) AS gold_high,
    estimate,
    greatest(middle - half, 0) AS low,
    least(middle + half, 1) AS high,
    1 - half / gold_half AS narrower
FROM bounded
QUALIFY dense_rank() OVER (ORDER BY n + m DESC, slice) <= 100  -- the largest ones
ORDER BY n + m DESC, slice, bounded.label
