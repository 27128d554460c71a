#!/usr/bin/env bash
# A logical backup of Wattline's database, and its return, both while all services run.
#
#   scripts/backup.sh dump FILE      what is committed at this moment
#   scripts/backup.sh restore FILE   puts FILE in the place of the database; the one that was there is kept beside it.
#                                    FILE may be -, standard input
#
# WATTLINE__DATABASE__URL names the database, as a role that owns it and may create others; a password is in PGPASSFILE.
# psql, pg_dump and pg_restore are the server's version; it has the version of TimescaleDB that the dump was made with.
set -euo pipefail
usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 64; }
[ $# -eq 2 ] || usage
file=$2 shown=$2
[ "$file" != - ] || shown="standard input"
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

# A dump that breaks off leaves the one before as it is.
dump() {
    trap 'rm -f "$file.part"' EXIT
    pg_dump --format=custom --compress=1 --file "$file.part" --dbname "$url"
    mv "$file.part" "$file"
}

# Until the restored database is in its place nothing has changed: what was begun is taken back.
give_up() {
    sql postgres "ALTER DATABASE \"$name\" ALLOW_CONNECTIONS true" "DROP DATABASE IF EXISTS \"$restored\" WITH (FORCE)" || true
    echo "$shown was not restored: $name is as it was" >&2
    # Whoever writes into a pipe that nobody reads would wait for ever, as `kubectl exec` does.
    [ "$file" != - ] || cat >/dev/null
}

restore() {
    local tries from=("$file")
    # Standard input must have no name: what has one is opened twice.
    [ "$file" != - ] || from=()
    [ "$file" = - ] || [ -r "$file" ] || { echo "cannot read $file" >&2; exit 66; }
    name=${base##*/}
    stamp=$(date -u +%Y%m%d_%H%M%S)_$$
    restored=${name}_restored_$stamp before=${name}_before_$stamp
    trap give_up EXIT
    sql postgres "CREATE DATABASE \"$restored\""
    # Where the server's template has it, a new database has it, too.
    sql "$restored" 'CREATE EXTENSION IF NOT EXISTS timescaledb' 'SELECT timescaledb_pre_restore()' >/dev/null
    pg_restore --exit-on-error --dbname "$(of "$restored")" "${from[@]}"
    sql "$restored" 'SELECT timescaledb_post_restore()' ANALYZE >/dev/null
    # No service may write into the old one any more.
    sql postgres "ALTER DATABASE \"$name\" ALLOW_CONNECTIONS false"
    for tries in $(seq 30); do
        sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('$name', '$restored')" >/dev/null
        # Both or neither.
        if sql postgres BEGIN "ALTER DATABASE \"$name\" RENAME TO \"$before\"" \
            "ALTER DATABASE \"$restored\" RENAME TO \"$name\"" COMMIT; then
            trap - EXIT
            sql postgres "ALTER DATABASE \"$before\" ALLOW_CONNECTIONS true"
            echo "$name is what $shown holds; services go on from its offsets. What was there is kept as $before: when" \
                "nothing is missing, DROP DATABASE \"$before\""
            return
        fi
        sleep 1
    done
    echo "somebody was connected to $name or $restored each time for $tries tries" >&2
    exit 75
}

case $1 in
    dump) dump ;;
    restore) restore ;;
    *) usage ;;
esac
