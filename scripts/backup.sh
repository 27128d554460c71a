#!/usr/bin/env bash
# A logical backup of Wattline's database, and its return, both while all services run.
#
#   scripts/backup.sh dump FILE      what is committed at this moment
#   scripts/backup.sh restore FILE   puts FILE in the place of the database; the one that was there is kept beside it
#
# WATTLINE__DATABASE__URL names the database, as a role that owns it and may create others; a password is in PGPASSFILE.
# psql, pg_dump and pg_restore are the server's version; it has the version of TimescaleDB that the dump was made with.
set -euo pipefail
usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 64; }
[ $# -eq 2 ] || usage
file=$2
url=${WATTLINE__DATABASE__URL:?set it to postgres://OWNER@HOST/DATABASE}

# sql DATABASE STATEMENT…: each by itself, on another database of the same server.
base=${url%%\?*} query=""
[ "$base" = "$url" ] || query="?${url#*\?}"
of() { printf '%s/%s%s' "${base%/*}" "$1" "$query"; }
sql() {
    local database=$1
    shift
    psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --dbname "$(of "$database")" \
        "${@/#/--command=}"
}

restore() {
    local name=${base##*/} stamp restored before tries
    [ -r "$file" ] || { echo "cannot read $file" >&2; exit 66; }
    stamp=$(date -u +%Y%m%d_%H%M%S)
    restored=${name}_restored_$stamp before=${name}_before_$stamp
    sql postgres "CREATE DATABASE \"$restored\""
    sql "$restored" 'CREATE EXTENSION timescaledb' 'SELECT timescaledb_pre_restore()' >/dev/null
    if ! pg_restore --exit-on-error --dbname "$(of "$restored")" "$file"; then
        sql postgres "DROP DATABASE \"$restored\" WITH (FORCE)"
        echo "nothing has changed: $name is as it was" >&2
        exit 65
    fi
    sql "$restored" 'SELECT timescaledb_post_restore()' ANALYZE >/dev/null
    # No service may write into a database that is not whole, nor into the old one any more.
    sql postgres "ALTER DATABASE \"$name\" ALLOW_CONNECTIONS false"
    for tries in $(seq 30); do
        sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('$name', '$restored')" >/dev/null
        if sql postgres "ALTER DATABASE \"$name\" RENAME TO \"$before\"" 2>/dev/null; then
            break
        fi
        [ "$tries" -lt 30 ] || { sql postgres "ALTER DATABASE \"$name\" ALLOW_CONNECTIONS true"; exit 75; }
        sleep 1
    done
    until sql postgres "ALTER DATABASE \"$restored\" RENAME TO \"$name\"" 2>/dev/null; do
        sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$restored'" >/dev/null
        sleep 1
    done
    echo "$name is what $file holds; services go on from its offsets. What was there is kept as $before: when nothing is" \
        "missing, DROP DATABASE \"$before\""
}

case $1 in
    # Without the rights of roles that the other server may not have: `wattlinectl migrate` gives them.
    dump) pg_dump --format=custom --compress=1 --file "$file" --dbname "$url" ;;
    restore) restore ;;
    *) usage ;;
esac
