-- Calibration on gold rows: expected calibration error (15 bins), Brier score (of all classes) and log-loss.
-- Needs: labels, gold
WITH scored AS (  -- a probability is the confidence times exp(logit - largest logit)
    SELECT
        confidence::DOUBLE AS confidence,
        ceil(confidence * 15) AS bin,
        (gold = prediction)::INT AS correct,
        logits[gold + 1] - logits[prediction + 1] AS behind,
        confidence ^ 2 * list_sum([exp(2 * (logit - logits[prediction + 1])) for logit in logits]) AS squares
    FROM reviews
    WHERE gold IS NOT NULL AND prediction IS NOT NULL
), bins AS (
    SELECT
        count(*) AS rows,
        sum(correct) AS correct,
        sum(confidence) AS confidence,
        sum(squares - 2 * confidence * exp(behind) + 1) AS brier,
        sum(-ln(confidence) - behind) AS log_loss
    FROM scored
    GROUP BY bin
)
SELECT
    sum(rows)::BIGINT AS rows,
    sum(correct) / sum(rows) AS accuracy,
    sum(confidence) / sum(rows) AS mean_confidence,
    sum(abs(confidence - correct)) / sum(rows) AS expected_calibration_error,
    sum(brier) / sum(rows) AS brier_score,
    sum(log_loss) / sum(rows) AS log_loss
FROM bins
HAVING count(*) > 0
