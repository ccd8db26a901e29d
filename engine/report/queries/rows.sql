-- Rows of the corpus, and copies: texts that an earlier row has, but for case and white space.
SELECT count(*) AS rows, count(*) - count(DISTINCT text_hash) AS copies
FROM corpus
