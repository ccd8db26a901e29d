-- Calibration on gold rows as labelled, and at the latest temperature (which was fitted to some, see --round).
-- Needs: labels, gold, calibration
WITH latest AS (
    SELECT temperature
    FROM calibrations
    WHERE label_set = (SELECT label_set FROM reviews LIMIT 1)
    ORDER BY number DESC
    LIMIT 1
), temperatures AS (
    SELECT 1::DOUBLE AS temperature, false AS calibrated
    UNION ALL
    SELECT temperature, true FROM latest
), scored AS (  -- powers of e, of logits less the largest one
    SELECT
        temperature,
        calibrated,
        (gold = prediction)::INT AS correct,
        (logits[gold + 1] - logits[prediction + 1]) / temperature AS behind,
        [exp((logit - logits[prediction + 1]) / temperature) for logit in logits] AS powers,
        list_sum(powers) AS total,
        list_sum([power * power for power in powers]) AS squares
    FROM reviews, temperatures
    WHERE gold IS NOT NULL AND prediction IS NOT NULL
), bins AS (
    SELECT
        temperature,
        calibrated,
        count(*) AS rows,
        sum(correct) AS correct,
        sum(1 / total) AS confidence,
        sum(squares / total ^ 2 - 2 * exp(behind) / total + 1) AS brier,
        sum(ln(total) - behind) AS log_loss
    FROM scored
    GROUP BY temperature, calibrated, ceil(15 / total)
)
SELECT
    calibrated,
    temperature,
    sum(rows)::BIGINT AS rows,
    sum(correct) / sum(rows) AS accuracy,
    sum(confidence) / sum(rows) AS mean_confidence,
    sum(abs(confidence - correct)) / sum(rows) AS expected_calibration_error,
    sum(brier) / sum(rows) AS brier_score,
    sum(log_loss) / sum(rows) AS log_loss
FROM bins
GROUP BY calibrated, temperature
ORDER BY calibrated
