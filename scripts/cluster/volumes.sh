# A volume of a size of its own, as a driver of volumes makes and enlarges it. To be sourced after lib.sh.
# shellcheck shell=bash

volume_of() { k --namespace "$1" get persistentvolumeclaim "$2" --output 'jsonpath={.spec.volumeName}'; }
# Of VOLUME: FIELD of its node, and of its folder there.
node_of_volume() { k get persistentvolume "$1" --output 'jsonpath={.spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values[0]}' | sed 's/^node//'; }
folder_of_volume() { k get persistentvolume "$1" --output 'jsonpath={.spec.local.path}'; }

# Puts what is in CLAIM's volume on a disk of MIB MiB, while no pod has it.
own_disk() {
  local namespace=$1 claim=$2 mib=$3 volume node folder disk
  volume=$(volume_of "$namespace" "$claim")
  node=$(node_of_volume "$volume")
  folder=$(folder_of_volume "$volume")
  disk=$state/node$node/$volume
  mkdir "$disk"
  truncate --size "${mib}M" "$disk.disk"
  # Others want a capability for growing that containers seldom have.
  mkfs.xfs -q "$disk.disk"
  in_node "$node" sh -ec "mount -o loop '$disk.disk' '$disk'; cp -a '$folder/.' '$disk'; umount '$disk'; mount -o loop '$disk.disk' '$folder'"
  printf '%s %s\n' "$node" "$folder" >>"$state/disks"
}

# Before their claims are deleted, or their folders couldn't be.
drop_disks() {
  local node folder
  while read -r node folder; do in_node "$node" umount --lazy "$folder"; done <"$state/disks"
  rm "$state/disks"
}

# Leaves MIB MiB of CLAIM's volume free.
fill_disk() {
  local namespace=$1 claim=$2 mib=$3 volume folder
  volume=$(volume_of "$namespace" "$claim")
  folder=$(folder_of_volume "$volume")
  in_node "$(node_of_volume "$volume")" sh -ec "
    free=\$(df --output=avail --block-size=1M '$folder' | tail -n 1)
    fallocate --length \$((free - $mib))M '$folder/ballast'"
}

# What a driver of volumes does once CLAIM asks for more than its volume has: the disk becomes MIB MiB, and so it says.
follow_claim() {
  local namespace=$1 claim=$2 mib=$3 volume node asked
  volume=$(volume_of "$namespace" "$claim")
  node=$(node_of_volume "$volume")
  asked=$(k --namespace "$namespace" get persistentvolumeclaim "$claim" --output 'jsonpath={.spec.resources.requests.storage}')
  [ "$asked" != "$(k get persistentvolume "$volume" --output 'jsonpath={.spec.capacity.storage}')" ] || fail "$claim asks for what its volume has"
  truncate --size "${mib}M" "$state/node$node/$volume.disk"
  in_node "$node" sh -ec "
    device=\$(findmnt --noheadings --output SOURCE --mountpoint '$(folder_of_volume "$volume")')
    losetup --set-capacity \"\$device\"
    xfs_growfs '$(folder_of_volume "$volume")' >/dev/null"
  k patch persistentvolume "$volume" --patch "{\"spec\": {\"capacity\": {\"storage\": \"$asked\"}}}" >/dev/null
}
