-- What to annotate next: 100 rows without gold, the least margins of every predicted class and length in turn.
-- Needs: labels, texts
WITH counted AS (  -- lengths are tokens in powers of two, or where no model counted tokens characters
    SELECT *, if((SELECT max(n_tokens) FROM reviews) > 0, n_tokens, n_chars) AS size
    FROM reviews
), ranked AS (
    SELECT row, class, margin, row_number() OVER (PARTITION BY prediction, length ORDER BY margin, row) AS turn
    FROM (SELECT *, floor(log2(greatest(size, 1))) AS length FROM counted)
    WHERE gold IS NULL AND prediction IS NOT NULL
    QUALIFY turn <= 100
), chosen AS (  -- before texts are read
    FROM ranked
    ORDER BY turn, margin, row
    LIMIT 100
)
SELECT row, id, chosen.class, margin, turn, left(text, 100) AS text
FROM chosen JOIN corpus USING (row)
ORDER BY turn, margin, row
