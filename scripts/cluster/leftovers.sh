# What a cluster could leave behind on the machine. To be sourced after lib.sh.
# shellcheck shell=bash

# A line for each thing that is left, where none is on; SETTINGS are the kernel's as they were before.
leftovers() {
  local settings=$1 tree name value
  grep --files-with-matches --fixed-strings "$state/" /proc/[0-9]*/mountinfo 2>/dev/null | sed 's/^/a process with its mounts: /' || true
  grep --files-with-matches --fixed-strings "$cgroup" /proc/[0-9]*/cgroup 2>/dev/null | sed 's/^/a process in its control groups: /' || true
  losetup --list --noheadings --output NAME,BACK-FILE | grep --fixed-strings "$state/" | sed 's/^/a device: /' || true
  for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do [ ! -d "$tree$cgroup" ] || echo "a control group: $tree$cgroup"; done
  while read -r name _ value; do
    [ -z "$name" ] || [ "$(sysctl --values "$name")" = "$value" ] || echo "a setting of the kernel: $name, which was $value"
  done <<<"$settings"
}
