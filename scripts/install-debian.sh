#!/usr/bin/env bash
# Installs what the local stack and the build need on Debian 12 that has cargo, Java 17 and Maven.
#
# Parts, each skipped when it is there, so that a second run takes a second:
#   1. Debian packages for the build, the servers and the browser test (root or sudo, only if some are missing);
#   2. Apache Kafka's jars, by Maven, with a class archive that halves its start;
#   3. Mosquitto, PostgreSQL 17 with TimescaleDB and its exporter, and HAProxy, unpacked from Debian 13 into a folder
#      (no root, no chroot);
#   4. Prometheus and promtool, for the checks of dashboards and alerts, and amtool, for those of receivers, unpacked:
#      installed, Prometheus and Alertmanager would run as services.
# `install-debian.sh failover` adds three more, for `make failover` only:
#   5. etcd and Patroni, unpacked as part 3 is;
#   6. Apache Artemis' jars, by Maven;
#   7. the jars of MirrorMaker, of Kafka's version, by Maven.
# `install-debian.sh faults` adds one, for `make faults` only:
#   8. the library that gives a program another time of day (faketime).
# `install-debian.sh cluster` adds, for `make cluster` only, parts 5 and 6 and
#   9. Debian packages: iptables, ipset, conntrack, xfsprogs and a shell without libraries (root or sudo);
#  10. containerd, runc and the plugins of pods' networks, unpacked: installed, containerd would run as a service.
# 2 to 8 and 10 go to WATTLINE_CACHE, by default /var/cache/wattline for root and ~/.cache/wattline for others, outside
# the checkout: they survive a new clone. Delete that folder to install anew.
set -euo pipefail

readonly KAFKA_VERSION=4.3.1
readonly LOG4J_VERSION=2.25.4
# Raise a revision when the recipe of its part changes: the stamp's name changes with it, and the part is made anew.
readonly KAFKA_PART="kafka-${KAFKA_VERSION}-1"
readonly SERVERS_PART="servers-trixie-2"
readonly PROMETHEUS_PART="prometheus-1"
readonly ALERTMANAGER_PART="alertmanager-3"
# The version that charts/mqtt installs.
readonly ARTEMIS_VERSION=2.44.0
readonly FAILOVER_PART="failover-trixie-1"
readonly ARTEMIS_PART="artemis-${ARTEMIS_VERSION}-1"
readonly MIRROR_PART="mirror-${KAFKA_VERSION}-1"
# Of the jars of each part, as `jars_sum` has it: raise it with the version.
readonly KAFKA_JARS=6953bfc4d23c24004ed3d44b741c7a4538a923f476f85ff7cf086e87ead4b49c
readonly ARTEMIS_JARS=5a1fa4b548871e8cbdf63832991e23c65283dd92f2c7a76985e554b4b04f9090
readonly MIRROR_JARS=5f8edcc9cb351fe7aa8a2717effb51ff5024239329d3a8f3c91d6b6c5dc8977e
readonly CLOCK_PART="clock-1"
readonly CONTAINERS_PART="containers-1"
# PostgreSQL refuses to run as root; this user runs it when root starts the stack.
readonly STACK_USER=wattline

readonly PACKAGES=(
  build-essential pkg-config make git ca-certificates    # the build
  libssl-dev zlib1g-dev                                  # librdkafka
  mmdebstrap patchelf debian-archive-keyring             # to unpack the servers
  tzdata util-linux                                      # to run them
  chromium fonts-dejavu-core curl                        # the live page's tests
)

readonly CLUSTER_PACKAGES=(
  iproute2 iptables ipset conntrack kmod                 # what kube-proxy and the network policies call
  libseccomp2                                            # runc
  busybox-static                                         # the image of pods that have nothing else
  xfsprogs                                               # volumes of a size of their own
  openssl
)

say() { printf 'install: %s\n' "$*"; }
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "this needs root: run '$*' as root, then this script again"
  fi
}

check_toolchains() {
  local tool
  for tool in cargo java mvn; do
    command -v "$tool" >/dev/null ||
      fail "'$tool' is missing: install Rust (rustup), a JDK 17 (default-jdk-headless) and Maven (maven) first"
  done
  local java_major
  java_major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  [ "${java_major:-0}" -ge 17 ] || fail "Kafka needs Java 17, found '${java_major:-none}': install default-jdk-headless"
}

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_packages() {
  local missing=() package
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} = 0 ]; then
    say "Debian packages: all there"
    return
  fi
  say "Debian packages: installing ${missing[*]}"
  # Some lists may be out of reach (third-party ones of a CI image) without harm: the install below decides.
  as_root apt-get -qq -o Acquire::Retries=3 update || say "apt-get update reported errors; going on"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
    -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 install "${missing[@]}" >/dev/null
}

create_stack_user() {
  [ "$(id -u)" = 0 ] || return 0
  getent passwd "$STACK_USER" >/dev/null && return 0
  say "system user '$STACK_USER': creating it, PostgreSQL does not run as root"
  useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$STACK_USER"
}

# Runs MAKE_FUNCTION in a fresh folder $1 of the cache, unless its stamp says that it is complete.
make_part() {
  local part=$1 what=$2 make_function=$3
  local folder=$cache/$part
  if [ -e "$folder/complete" ]; then
    say "$what: all there ($folder)"
    return
  fi
  say "$what: installing into $folder"
  rm -rf "$folder"
  mkdir -p "$folder"
  "$make_function" "$folder"
  touch "$folder/complete"
}

# Copies the jars of "group:artifact:version …" and all that they need into FOLDER/libs. They must have the sum WANTED.
copy_jars() {
  local folder=$1 wanted=$2 dependency group artifact version sum
  shift 2
  {
    printf '%s\n' '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' \
      '<groupId>wattline</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
    for dependency in "$@"; do
      IFS=: read -r group artifact version <<<"$dependency"
      printf '<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>\n' \
        "$group" "$artifact" "$version"
    done
    printf '</dependencies></project>\n'
  } >"$folder/pom.xml"
  mvn -q -B -Dstyle.color=never -f "$folder/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$folder/libs" -DincludeScope=runtime
  sum=$(jars_sum "$folder")
  [ "$sum" = "$wanted" ] || fail "the jars in $folder/libs are not those that were tried: their sum is $sum, not $wanted"
}

# One SHA-256 for all jars of a part, their names included.
jars_sum() {
  (cd "$1/libs" && LC_ALL=C && sha256sum -- *.jar | sha256sum | cut -d ' ' -f 1)
}

write_log_settings() {
  cat >"$1/log4j2.properties" <<'LOG4J'
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %m (%c{1})%n
LOG4J
}

make_kafka() {
  local folder=$1
  copy_jars "$folder" "$KAFKA_JARS" "org.apache.kafka:kafka_2.13:$KAFKA_VERSION" \
    "org.apache.logging.log4j:log4j-slf4j-impl:$LOG4J_VERSION"
  write_log_settings "$folder"
  rehearse_kafka "$folder"
}

# One start and stop of a throw-away broker. It leaves two files that make every later start faster: the checkpoint
# that `format` writes (the same for all nodes of a version) and the archive of loaded classes.
rehearse_kafka() {
  local folder=$1 rehearsal=$1/rehearsal attempt port pid
  for attempt in 1 2 3; do
    port=$((12000 + RANDOM % 8000))
    rm -rf "$rehearsal"
    mkdir -p "$rehearsal"
    cat >"$rehearsal/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$rehearsal/data
PROPERTIES
    local java=(java -Xmx256m -XX:+UseSerialGC "-Dlog4j2.configurationFile=$folder/log4j2.properties")
    "${java[@]}" -cp "$folder/libs/*" kafka.tools.StorageTool format \
      -t AAAAAAAAAAAAAAAAAAAAAQ -c "$rehearsal/server.properties" >"$rehearsal/format.log" 2>&1 ||
      { cat "$rehearsal/format.log" >&2; fail "Kafka's storage tool failed, see above"; }
    cp "$rehearsal/data/bootstrap.checkpoint" "$folder/bootstrap.checkpoint"
    "${java[@]}" -XX:TieredStopAtLevel=1 -XX:ArchiveClassesAtExit="$folder/kafka.jsa" \
      -cp "$folder/libs/*" kafka.Kafka "$rehearsal/server.properties" >"$rehearsal/server.log" 2>&1 &
    pid=$!
    # A background job ignores Ctrl-C.
    trap "kill -KILL $pid 2>/dev/null || true" EXIT
    if wait_for_line "$rehearsal/server.log" 'Kafka Server started' "$pid"; then
      kill -TERM "$pid"
      wait "$pid" || true # 143 is its normal end
      trap - EXIT
      rm -rf "$rehearsal"
      return
    fi
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    trap - EXIT
    say "Kafka's rehearsal on port $port failed (attempt $attempt), its last lines:"
    tail -n 5 "$rehearsal/server.log"
  done
  fail "Kafka does not start, see $rehearsal/server.log"
}

wait_for_line() {
  local file=$1 line=$2 pid=$3 i
  for ((i = 0; i < 300; i++)); do
    grep -q "$line" "$file" && return 0
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.2
  done
  return 1
}

# Unpacks Debian 13's PACKAGES (with commas) into ROOT, and points the binaries at its own C library. That path is baked
# in: the folder can't be moved.
unpack() {
  local root=$1 packages=$2 triplet loader pattern binary
  shift 2
  mmdebstrap --quiet --mode=chrootless --variant=extract --include="$packages" trixie "$root" ||
    fail "mmdebstrap failed, see above; a key that is missing comes with a newer debian-archive-keyring (apt-get install)"
  triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
  loader=$(find "$root/usr/lib/$triplet" "$root/usr/lib64" -maxdepth 1 -name 'ld-linux*.so.*' 2>/dev/null | head -n 1)
  [ -n "$loader" ] || fail "no dynamic loader below $root/usr/lib"
  for pattern in "$@"; do
    # shellcheck disable=SC2231 # a pattern
    for binary in "$root"/$pattern; do
      if head -c 4 "$binary" | grep -q ELF; then
        patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$root/usr/lib/$triplet" "$binary"
      fi
    done
  done
  rm -rf "$root/var/cache/apt" "$root/var/lib/apt" "$root/usr/share/doc" "$root/usr/share/man"
}

make_servers() {
  local root=$1/root
  unpack "$root" postgresql-17,postgresql-17-timescaledb,mosquitto,prometheus-postgres-exporter,haproxy \
    'usr/lib/postgresql/17/bin/*' usr/sbin/mosquitto usr/sbin/haproxy \
    usr/bin/mosquitto_passwd usr/bin/prometheus-postgres-exporter
  "$root/usr/lib/postgresql/17/bin/postgres" --version >/dev/null || fail "the unpacked PostgreSQL does not start"
}

# Takes files out of this Debian's PACKAGE, which is not installed, into FOLDER; without the DEPTH folders above them.
take_files() {
  local folder=$1 package=$2 depth=$3
  shift 3
  # apt downloads as its own user, which may not write here: then it does so as the caller, with a warning.
  (cd "$folder" && apt-get -qq -o Acquire::Retries=3 download "$package" 2>/dev/null) || {
    as_root apt-get -qq -o Acquire::Retries=3 update || say "apt-get update reported errors; going on"
    (cd "$folder" && apt-get -qq -o Acquire::Retries=3 download "$package")
  }
  dpkg-deb --fsys-tarfile "$folder/$package"_*.deb | tar -x -C "$folder" "--strip-components=$depth" "$@"
  rm "$folder/$package"_*.deb
}

make_clock() {
  local folder=$1
  take_files "$folder" libfaketime 5 "./usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/faketime/libfaketimeMT.so.1"
  [ "$(LD_PRELOAD=$folder/libfaketimeMT.so.1 FAKETIME=-400d date +%Y)" -lt "$(date +%Y)" ] ||
    fail "the library for clocks doesn't change the time of \`date\`"
}

make_prometheus() {
  local folder=$1
  take_files "$folder" prometheus 3 ./usr/bin/prometheus ./usr/bin/promtool
  "$folder/promtool" --version >/dev/null 2>&1 || fail "the unpacked promtool does not start"
}

make_alertmanager() {
  local folder=$1
  take_files "$folder" prometheus-alertmanager 3 ./usr/bin/prometheus-alertmanager ./usr/bin/amtool \
    ./usr/share/prometheus/alertmanager
  "$folder/amtool" --version >/dev/null 2>&1 || fail "the unpacked amtool does not start"
}

make_failover() {
  local root=$1/root
  # Patroni speaks etcd's newer protocol with parts of the client for the older one.
  unpack "$root" etcd-server,patroni,python3-etcd usr/bin/etcd 'usr/bin/python3.*'
  PYTHONHOME=$root/usr "$root/usr/bin/python3" "$root/usr/bin/patroni" --version >/dev/null ||
    fail "the unpacked Patroni does not start"
}

make_artemis() {
  local folder=$1
  copy_jars "$folder" "$ARTEMIS_JARS" "org.apache.activemq:artemis-cli:$ARTEMIS_VERSION" \
    "org.apache.activemq:artemis-mqtt-protocol:$ARTEMIS_VERSION" "org.apache.logging.log4j:log4j-slf4j2-impl:$LOG4J_VERSION"
  write_log_settings "$folder"
  # Its log of who did what has a line for each connection and more.
  printf '%s\n' 'logger.audit.name = org.apache.activemq.audit' 'logger.audit.level = off' >>"$folder/log4j2.properties"
}

make_mirror() {
  local folder=$1
  copy_jars "$folder" "$MIRROR_JARS" "org.apache.kafka:connect-mirror:$KAFKA_VERSION" \
    "org.apache.logging.log4j:log4j-slf4j-impl:$LOG4J_VERSION"
  write_log_settings "$folder"
}

make_containers() {
  local folder=$1
  take_files "$folder" containerd 3 ./usr/bin/containerd ./usr/bin/containerd-shim-runc-v2 ./usr/bin/ctr
  take_files "$folder" runc 3 ./usr/sbin/runc
  mkdir "$folder/cni"
  take_files "$folder" containernetworking-plugins 3 ./usr/lib/cni
  "$folder/runc" --version >/dev/null || fail "the unpacked runc does not start"
  "$folder/containerd" --version >/dev/null || fail "the unpacked containerd does not start"
}

case "${1:-}" in
  '' | failover | faults | cluster) ;;
  *) fail "usage: install-debian.sh [failover|faults|cluster]" ;;
esac
umask 022
check_toolchains
cache=$("$(dirname "$0")/cache-folder.sh")
install_packages "${PACKAGES[@]}"
[ "${1:-}" != cluster ] || install_packages "${CLUSTER_PACKAGES[@]}"
create_stack_user
mkdir -p "$cache"
# Two runs at once would unpack into the same folder: the second waits and then finds everything there.
exec 9>"$cache/install.lock"
flock -n 9 || { say "another run is at work, waiting for it"; flock 9; }
make_part "$KAFKA_PART" "Apache Kafka $KAFKA_VERSION" make_kafka
make_part "$SERVERS_PART" "Mosquitto, PostgreSQL 17 with TimescaleDB and its exporter, HAProxy" make_servers
make_part "$PROMETHEUS_PART" "Prometheus and promtool" make_prometheus
make_part "$ALERTMANAGER_PART" "Alertmanager and amtool" make_alertmanager
if [ "${1:-}" = failover ] || [ "${1:-}" = cluster ]; then
  make_part "$FAILOVER_PART" "etcd and Patroni" make_failover
  make_part "$ARTEMIS_PART" "Apache Artemis $ARTEMIS_VERSION" make_artemis
fi
if [ "${1:-}" = failover ]; then
  make_part "$MIRROR_PART" "Kafka's MirrorMaker $KAFKA_VERSION" make_mirror
fi
if [ "${1:-}" = faults ]; then
  make_part "$CLOCK_PART" "faketime" make_clock
fi
if [ "${1:-}" = cluster ]; then
  make_part "$CONTAINERS_PART" "containerd, runc and plugins of networks" make_containers
fi
say "done"
