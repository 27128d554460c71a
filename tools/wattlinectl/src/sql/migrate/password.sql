-- The statement that sets a role's password, with both in quotes.
SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text) AS statement
