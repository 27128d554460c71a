#!/usr/bin/env bash
# Prints the folder that keeps what the scripts install and build, outside of any checkout. tools/localstack knows the
# same rule.
set -euo pipefail
if [ -n "${WATTLINE_CACHE:-}" ]; then
  printf '%s\n' "$WATTLINE_CACHE"
elif [ "$(id -u)" = 0 ]; then
  printf '/var/cache/wattline\n'
else
  printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/wattline"
fi
