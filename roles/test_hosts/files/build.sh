#!/bin/sh
# build.sh IMAGE RELEASE PACKAGES [MIRROR]: a test host's image from Debian's packages alone.
set -eu
image=$1 release=$2 packages=$3 mirror=${4:-}
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v mmdebstrap >/dev/null || {
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends mmdebstrap
}
mmdebstrap --quiet --variant=minbase --include="$packages" --customize-hook="$here/prepare.sh \"\$1\"" "$release" "$work/host.tar" ${mirror:+"$mirror"}
docker import --change 'CMD ["/sbin/init"]' "$work/host.tar" "$image"
