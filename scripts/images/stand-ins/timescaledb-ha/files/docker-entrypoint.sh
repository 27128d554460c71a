#!/bin/bash
# `docker-entrypoint.sh postgres [OPTION…]`: an empty PGDATA becomes a database server first, by POSTGRES_USER,
# POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS and POSTGRES_HOST_AUTH_METHOD, each also as a file that VARIABLE_FILE
# names, and what is in docker-entrypoint-initdb.d runs once. Anything else is run as it is.
set -euo pipefail

fail() { printf '%s\n' "$*" >&2; exit 1; }

# The value of a variable, or the content of the file that its sister names.
setting() {
  local name=$1 default=${2:-} file=$1_FILE
  [ -z "${!name:-}" ] || [ -z "${!file:-}" ] || fail "both $name and $file are set"
  if [ -n "${!file:-}" ]; then cat "${!file}"; else printf '%s' "${!name:-$default}"; fi
}

initialise() {
  local method=${POSTGRES_HOST_AUTH_METHOD:-}
  [ -n "$PASSWORD" ] || [ "$method" = trust ] ||
    fail "POSTGRES_PASSWORD is not set, and POSTGRES_HOST_AUTH_METHOD is not trust: nobody could connect"
  local arguments=(--pgdata="$PGDATA" --username="$POSTGRES_USER")
  # It holds several words.
  # shellcheck disable=SC2206
  arguments+=(${POSTGRES_INITDB_ARGS:-})
  initdb "${arguments[@]}" --pwfile=<(printf '%s\n' "$PASSWORD")
  printf '\nhost all all all %s\n' "${method:-$(postgres -C password_encryption -D "$PGDATA")}" >>"$PGDATA/pg_hba.conf"
}

as_owner() { PGHOST='' PGPASSWORD=$PASSWORD psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" "$@"; }

# By the socket only: nobody else gets in before the scripts are through.
first_scripts() {
  PGUSER=$POSTGRES_USER PGPASSWORD=$PASSWORD pg_ctl --pgdata="$PGDATA" --wait --silent start \
    --options="$(printf '%q ' "${@:2}" -c listen_addresses='')"
  if [ "$POSTGRES_DB" != postgres ]; then
    as_owner --dbname postgres --quiet --set name="$POSTGRES_DB" <<<'CREATE DATABASE :"name";'
  fi
  local script
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) bash "$script" ;;
      *.sql) as_owner --dbname "$POSTGRES_DB" --file "$script" ;;
    esac
  done
  PGUSER=$POSTGRES_USER PGPASSWORD=$PASSWORD pg_ctl --pgdata="$PGDATA" --wait --silent --mode=fast stop
}

case ${1:-} in -*) set -- postgres "$@" ;; esac
if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  [ "$(id -u)" != 0 ] || fail "PostgreSQL does not run as root"
  PASSWORD=$(setting POSTGRES_PASSWORD)
  POSTGRES_USER=$(setting POSTGRES_USER postgres)
  POSTGRES_DB=$(setting POSTGRES_DB "$POSTGRES_USER")
  export POSTGRES_USER POSTGRES_DB
  mkdir -p "$PGDATA"
  chmod 00700 "$PGDATA"
  initialise
  export PGPASSWORD=$PASSWORD
  first_scripts "$@"
  unset PGPASSWORD
fi
exec "$@"
