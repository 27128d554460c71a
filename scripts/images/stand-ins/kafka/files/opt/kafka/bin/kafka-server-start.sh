#!/bin/bash
# kafka-server-start.sh FILE [--override KEY=VALUE]…
set -euo pipefail
bin=$(dirname "${BASH_SOURCE[0]}")
[ $# -ge 1 ] || { echo "usage: kafka-server-start.sh server.properties [--override KEY=VALUE]…" >&2; exit 1; }
: "${KAFKA_HEAP_OPTS:=-Xmx1G -Xms1G}"
: "${KAFKA_LOG4J_OPTS:=-Dlog4j2.configurationFile=$bin/../config/log4j2.properties}"
export KAFKA_HEAP_OPTS KAFKA_LOG4J_OPTS
exec "$bin/kafka-run-class.sh" kafka.Kafka "$@"
