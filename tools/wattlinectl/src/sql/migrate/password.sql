-- The statement that sets a role's password, with both in quotes. The one before may have expired: this one has not.
SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)
    || CASE WHEN rolvaliduntil <= now() THEN ' VALID UNTIL ''infinity''' ELSE '' END AS statement
FROM (SELECT $1::text AS name) AS wanted
LEFT JOIN pg_roles ON rolname = name
