-- Input rows that were refused, with the reason: the first 100.
SELECT file, source_row, id, reason
FROM rejects
ORDER BY file, source_row
LIMIT 100
