#!/usr/bin/env bash
# majority.sh DEVICE ADDRESS MEMBER…, each member HOST/PORT, in the same order on all hosts: may this host hold the address?
#
# Not when a partition has it with the lesser part of the load balancers and another one answers for the address, which both
# would otherwise draw to and fro. Half of them with the first is the greater part. A host that is left alone holds it.
set -u
device=$1 address=$2
shift 2

asked=()
for member in "$@"; do
  timeout 0.5 bash -c ": <'/dev/tcp/$member'" 2>/dev/null &
  asked+=($!)
done
weight=0
for number in "${!asked[@]}"; do
  if wait "${asked[number]}"; then
    ((weight += number ? 2 : 3))
  fi
done
((2 * weight > 2 * $# + 1)) && exit
arping -q -D -c 1 -w 1 -I "$device" "$address"
# 1: there is an answer. Whatever else goes wrong is no reason to give the address up.
(($? != 1))
