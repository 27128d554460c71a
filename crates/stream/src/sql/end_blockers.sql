-- $1: a process of the server. Only a wait for a row counts: whoever holds a table or a chunk that it needs besides is none
-- of ours to end, nor is another role, which the server would not let us.
SELECT pid, application_name, pg_terminate_backend(pid) AS ended
FROM pg_stat_activity
WHERE pid = ANY (pg_blocking_pids($1)) AND usename = current_user
  AND EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted AND locktype IN ('transactionid', 'tuple'))
