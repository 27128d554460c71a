#!/bin/sh
# Options alone are HAProxy's. As a container's first process it runs with a master that passes signals on.
set -e
case "${1:-}" in
  -*) set -- haproxy "$@" ;;
esac
if [ "${1:-}" = haproxy ]; then
  shift
  set -- haproxy -W -db "$@"
fi
exec "$@"
