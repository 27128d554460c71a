#!/bin/sh
# Runs what it is given. Started as root, the broker's data become its own user's first.
set -e
if [ "$(id -u)" = 0 ] && [ -d /mosquitto ]; then
  chown -R mosquitto:mosquitto /mosquitto || true
fi
exec "$@"
