-- A process that is frozen in a transaction must not hold the database's old row versions for ever.
SET idle_in_transaction_session_timeout = '60s'
