#!/usr/bin/env bash
# Assembles what an image holds: one program, the libraries that it is linked with, and the authorities that TLS trusts.
# No shell, no package manager. Usage: image-root.sh PROGRAM FOLDER
set -euo pipefail

readonly program=$1 root=$2

mkdir -p "$root"/{etc/ssl/certs,tmp,usr/bin}
chmod 1777 "$root/tmp"
strip -o "$root/usr/bin/service" "$program"
# ldd prints `name => path (address)`, and the loader as a bare path.
ldd "$program" | sed -nE 's/^.*(=> |\t)(\/[^ ]+) \(0x.*$/\2/p' | sort -u | while read -r library; do
  install -D --mode=0755 "$(readlink -f "$library")" "$root$library"
done
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
printf 'wattline:x:65532:65532::/nonexistent:/nonexistent\n' >"$root/etc/passwd"
printf 'wattline:x:65532:\n' >"$root/etc/group"
du --apparent-size --summarize --block-size=1 "$root" | awk '{ printf "image: %.1f MB\n", $1 / 1e6 }'
