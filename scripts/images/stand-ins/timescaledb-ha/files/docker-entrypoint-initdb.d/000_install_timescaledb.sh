#!/bin/bash
# The extension in every database that is there, and in those that are made later.
set -euo pipefail
for database in template1 postgres "$POSTGRES_DB"; do
  psql --no-psqlrc --set ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname "$database" \
    --command 'SET client_min_messages = warning' --command 'CREATE EXTENSION IF NOT EXISTS timescaledb'
done
