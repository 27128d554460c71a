# What scripts/images.sh stands in for the public images: read by it. Each image is a folder below scripts/images/stand-ins
# with its configuration and files of our own, and a function here that puts programs beside them.
# shellcheck shell=bash

# A name with its tag, or the repository that the charts know the tag of; the folder; what lies below; the part with its jars.
readonly STAND_INS=(
  "busybox:1 busybox busybox -"
  "eclipse-mosquitto eclipse-mosquitto busybox -"
  "haproxy haproxy busybox -"
  "prometheuscommunity/postgres-exporter postgres-exporter busybox -"
  "danielqsj/kafka-exporter kafka-exporter busybox -"
  "sapcc/mosquitto-exporter mosquitto-exporter busybox -"
  "apache/kafka kafka java kafka"
  "apache/activemq-artemis activemq-artemis java artemis"
  "timescale/timescaledb-ha timescaledb-ha postgres -"
)
readonly SUITE=trixie
readonly LIBRARIES=usr/lib/x86_64-linux-gnu
readonly LOADER=usr/lib64/ld-linux-x86-64.so.2
readonly HERE=scripts/images/stand-ins
# Whole systems, by their packages' own scripts: for Java and PostgreSQL, whose files are made when they are installed.
readonly DEBIAN=(
  --mode=root --variant=essential
  '--aptopt=APT::Install-Recommends "0"' '--aptopt=Acquire::Retries "3"'
  '--dpkgopt=path-exclude=/usr/share/doc/*' '--dpkgopt=path-exclude=/usr/share/locale/*' '--dpkgopt=path-exclude=/usr/share/info/*'
)
# Unpacked only: single programs and their libraries are taken out of it.
readonly PROGRAMS=busybox,mosquitto,mosquitto-clients,haproxy,prometheus-postgres-exporter

# A part of the cache by the hash of its recipe: KIND FUNCTION WORD…, the recipe's text on stdin. Sets $part.
make_part() {
  local kind=$1 hash start=$SECONDS
  shift
  hash=$(sha256sum | cut -c1-16)
  part=$cache/image-$kind-$hash
  [ ! -e "$part/complete" ] || return 0
  say "$kind: making it"
  rm -rf "$part"
  mkdir -p "$part"
  "$@"
  touch "$part/complete"
  # Only those of this kind: a hash has 16 digits.
  find "$cache" -maxdepth 1 -regextype posix-extended -regex ".*/image-$kind-[0-9a-f]{16}" ! -path "$part" -exec rm -rf {} +
  say "$kind: $((SECONDS - start)) s"
}

recipe() { declare -f "$@"; cat scripts/images/oci.py; }

# === Debian's packages

debian_root() {
  mmdebstrap --quiet "${DEBIAN[@]}" --include="$2" "$SUITE" "$1" || fail "mmdebstrap failed, see above"
}

# What is of the machine where it was made, or is there to install more.
forget_machine() {
  local root=$1
  rm -rf "$root"/etc/{resolv.conf,hostname,machine-id} "$root"/etc/ssl/private/* "$root"/var/{cache/apt,lib/apt,log}/* "${root:?}"/dev/*
}

# A user of the image, in place of one that Debian's package made. Its files become the new number's.
user() {
  local root=$1 name=$2 number=$3 home=$4 shell=$5 old
  old=$(sed -n "s/^$name:[^:]*:\([0-9]*\):\([0-9]*\):.*/\1 \2/p" "$root/etc/passwd")
  if [ -n "$old" ]; then
    find "$root" -xdev -uid "${old% *}" -exec chown -h "$number" {} +
    find "$root" -xdev -gid "${old#* }" -exec chgrp -h "$number" {} +
    sed -i "/^$name:/d" "$root/etc/passwd" "$root/etc/group"
  fi
  printf '%s:x:%d:%d::%s:%s\n' "$name" "$number" "$number" "$home" "$shell" >>"$root/etc/passwd"
  printf '%s:x:%d:\n' "$name" "$number" >>"$root/etc/group"
}

# Python and Java believe compiled files by the times of their sources: these layers keep theirs.
base_layer() {
  forget_machine "$1"
  oci layer "$1" "$part/layer.tar" --times >/dev/null
  cp "$1"/etc/{passwd,group} "$part/"
  rm -rf "$1"
}

base_java() {
  debian_root "$part/root" openjdk-21-jre-headless
  base_layer "$part/root"
}

base_postgres() {
  local root=$part/root
  debian_root "$root" postgresql-17,postgresql-17-timescaledb,patroni,python3-kubernetes
  rm -rf "$root"/{var/lib/postgresql,etc/postgresql}/*
  user "$root" postgres 1000 /home/postgres /bin/bash
  local sample=$root/usr/share/postgresql/17/postgresql.conf.sample
  printf "%s\n" "listen_addresses = '*'" "shared_preload_libraries = 'timescaledb'" >>"$sample"
  base_layer "$root"
}

unpack_programs() {
  local root=$part/root
  mmdebstrap --quiet --mode=chrootless --variant=extract --include="$PROGRAMS" "$SUITE" "$root" || fail "mmdebstrap failed, see above"
  rm -rf "${root:?}"/{dev,var}
}

# Puts PROGRAM of the unpacked packages and the libraries that it is linked with into FOLDER. Debian's loader lists them:
# this machine's may be older.
take() {
  local folder=$1 program=$2 library
  install -D --mode=0755 "$programs/$program" "$folder/$program"
  "$programs/$LOADER" --library-path "$programs/$LIBRARIES" --list "$programs/$program" |
    sed -nE 's/^.*(=> |\t)(\/[^ ]+) \(0x.*$/\2/p' | while read -r library; do
    install -D --mode=0644 "$programs/$LIBRARIES/${library##*/}" "$folder/$LIBRARIES/${library##*/}"
  done
  install -D --mode=0755 "$programs/$LOADER" "$folder/$LOADER"
}

# As small as the public images, whose shell and tools are BusyBox's, too.
base_busybox() {
  local root=$part/root applet
  mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},etc,tmp,var/empty,run}
  chmod 1777 "$root/tmp"
  for applet in bin sbin lib lib64; do ln -s "usr/$applet" "$root/$applet"; done
  take "$root" usr/bin/busybox
  "$root/$LOADER" --library-path "$root/$LIBRARIES" "$root/usr/bin/busybox" --list |
    while read -r applet; do
      [ "$applet" = busybox ] || ln -s busybox "$root/usr/bin/$applet"
    done
  printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnobody:x:65534:\n' >"$root/etc/group"
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
  base_layer "$root"
}

make_base() {
  case $1 in
    busybox) make_part base-busybox base_busybox < <(recipe base_busybox take base_layer; printf '%s' "$programs_part") ;;
    *) make_part "base-$1" "base_$1" < <(recipe "base_$1" base_layer forget_machine debian_root user; printf '%s' "${DEBIAN[*]} $SUITE") ;;
  esac
}

# === the images' own files: into $top, over the base's users

add_busybox() { :; }
add_kafka-exporter() { :; }
add_mosquitto-exporter() { :; }

add_eclipse-mosquitto() {
  local program
  take "$top" usr/sbin/mosquitto
  for program in mosquitto_{passwd,pub,sub,rr,ctrl}; do take "$top" "usr/bin/$program"; done
  user "$top" mosquitto 1883 /var/empty /sbin/nologin
  mkdir -p "$top"/mosquitto/{config,data,log}
  chown -R 1883:1883 "$top/mosquitto"
}

add_haproxy() {
  take "$top" usr/sbin/haproxy
  mkdir -p "$top"/usr/local/{sbin,etc/haproxy} "$top/var/lib/haproxy"
  ln -s /usr/sbin/haproxy "$top/usr/local/sbin/haproxy"
  user "$top" haproxy 99 /var/lib/haproxy /bin/false
  chown 99:99 "$top/var/lib/haproxy"
}

add_postgres-exporter() {
  take "$top" usr/bin/prometheus-postgres-exporter
  ln -s prometheus-postgres-exporter "$top/usr/bin/postgres_exporter"
}

add_kafka() {
  local kafka=$top/opt/kafka
  mkdir -p "$kafka"/{libs,config} "$top"/{etc/kafka/secrets,mnt/shared/config,var/lib/kafka/data,usr/logs,home/appuser}
  cp "$jars"/libs/*.jar "$kafka/libs/"
  cp "$jars/log4j2.properties" "$kafka/config/log4j2.properties"
  sed 's/^rootLogger.level = info/rootLogger.level = warn/' "$jars/log4j2.properties" >"$kafka/config/tools-log4j2.properties"
  user "$top" appuser 1000 /home/appuser /bin/bash
  chown -R 1000:1000 "$kafka" "$top"/{etc/kafka,mnt/shared/config,var/lib/kafka,usr/logs,home/appuser}
}

add_activemq-artemis() {
  local home=$top/opt/activemq-artemis
  mkdir -p "$home/lib" "$top/var/lib/artemis-instance"
  cp "$jars"/libs/*.jar "$home/lib/"
  javac --release 17 -d "$part/classes" "$HERE/activemq-artemis/Artemis.java"
  jar --create --file "$home/lib/artemis-boot.jar" --date 2000-01-01T00:00:00Z -C "$part/classes" .
  rm -r "$part/classes"
  user "$top" artemis 1001 /opt/activemq-artemis /bin/bash
  chown 1001:1001 "$top/var/lib/artemis-instance"
}

add_timescaledb-ha() {
  mkdir -p "$top"/home/postgres/{pgdata/data,pgdata/backup,pg_log} "$top/run/postgresql" "$top/usr/local/bin"
  chown -R 1000:1000 "$top/home/postgres" "$top/run/postgresql"
  chmod 1777 "$top/run/postgresql"
}

# === archives

assemble() {
  local folder=$1 name=$2 top=$part/top
  mkdir -p "$top/etc"
  cp "$base"/{passwd,group} "$top/etc/"
  "add_$folder"
  [ ! -d "$HERE/$folder/files" ] || cp --recursive "$HERE/$folder/files/." "$top/"
  oci layer "$top" "$part/top.tar" >/dev/null
  oci archive "$part/image.tar" --name "$name" --config "$HERE/$folder/config.json" --layer "$base/layer.tar" --layer "$part/top.tar" >/dev/null
  rm -rf "$top" "$part/top.tar"
}

# The newest part of scripts/install-debian.sh that is complete.
jars_part() {
  local found
  found=$(find "$cache" -maxdepth 2 -path "*/$1-[0-9]*/complete" -printf '%T@ %h\n' | sort -rn | head -n 1 | cut -d ' ' -f 2)
  [ -n "$found" ] || fail "$1's jars are missing: run scripts/install-debian.sh failover first"
  printf '%s\n' "$found"
}

make_stand_in() {
  local repository=$1 folder=$2 below=$3 jars=$4 name base
  name=$repository
  [[ $name == *:* ]] || name=$(chart_image "$repository")
  [ "$jars" = - ] || jars=$(jars_part "$jars")
  make_base "$below"
  base=$part
  make_part "$folder" assemble "$folder" "$name" < <(
    recipe "add_$folder" assemble take user
    printf '%s ' "$name" "${base##*/}" "${jars##*/}" "$programs_part"
    find "$HERE/$folder" -type f -printf '%m ' -exec sha256sum {} \; | sort
  )
  ln --force "$part/image.tar" "$out/$folder.tar" 2>/dev/null || cp "$part/image.tar" "$out/$folder.tar"
  say_made "$out/$folder.tar" "$name"
}

make_stand_ins() {
  local out=$1 cache part programs programs_part line
  [ "$(id -u)" = 0 ] || fail "stand-ins needs root: the images' files have owners"
  [ "$(uname -m)" = x86_64 ] || fail "stand-ins takes libraries from where x86-64 has them"
  for line in mmdebstrap javac jar; do command -v "$line" >/dev/null || fail "'$line' is missing: run scripts/install-debian.sh first"; done
  umask 022
  cache=$(scripts/cache-folder.sh)
  mkdir -p "$cache" "$out"
  # Two runs at once would make the same twice.
  exec 9>"$cache/images.lock"
  flock -n 9 || { say "another run is at work, waiting for it"; flock 9; }
  make_part programs unpack_programs < <(recipe unpack_programs; printf '%s' "$PROGRAMS $SUITE")
  programs=$part/root programs_part=${part##*/}
  for line in "${STAND_INS[@]}"; do
    # shellcheck disable=SC2086 # four words
    make_stand_in $line
  done
}
