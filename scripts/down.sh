#!/usr/bin/env bash
# Stops the stack whose data folder is given, and deletes the folder.
set -euo pipefail
dir=${1:?"usage: scripts/down.sh DIR"}
pid_file=$dir/stack.pid
if [ ! -d "$dir" ]; then
    echo "no stack in $dir"
    exit 0
fi
if [ -f "$pid_file" ] && pid=$(cat "$pid_file") && kill -0 "$pid" 2>/dev/null; then
    echo "stopping the stack in $dir (process $pid)"
    kill -TERM "$pid"
    for _ in $(seq 150); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
    done
    if kill -0 "$pid" 2>/dev/null; then
        echo "process $pid did not stop within 30 s; end it yourself, then try again" >&2
        exit 1
    fi
fi
rm -rf "$dir"
echo "deleted $dir"
