SELECT count(*) AS letters
FROM dead_letter
{where}
