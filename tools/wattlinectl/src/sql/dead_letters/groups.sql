-- Each text of `words` is one of the columns that groups are made by; without any it is one group, if there is a letter.
SELECT ARRAY[{columns}]::text[] AS words, count(*) AS letters, min(received_at) AS oldest, max(received_at) AS newest
FROM dead_letter
{where}
{group}
HAVING count(*) > 0
ORDER BY letters DESC, oldest
LIMIT {limit}
