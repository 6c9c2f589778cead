#!/usr/bin/env bash
# majority.sh DEVICE ADDRESS MEMBER…, each member HOST/PORT, in the same order on all hosts: may this host hold the address?
#
# Not when a partition has it with the lesser part of the load balancers and another one answers for the address, which both
# would otherwise draw to and fro. Half of them with the first is the greater part. A host that is left alone holds it.
set -u
device=$1 address=$2
shift 2

# All are asked at once, and without programs of their own, as this is asked every second. Each says what it weighs.
exec {answers}<> <(:)
trap 'kill $(jobs -pr) 2>/dev/null' EXIT
weight=3
for member in "$@"; do
  {
    : <"/dev/tcp/$member" || weight=0
    echo "$weight" >&"$answers"
  } 2>/dev/null &
  weight=2
done
weight=0
for _ in "$@"; do
  read -r -t 0.5 -u "$answers" its || break
  ((weight += its))
  ((2 * weight > 2 * $# + 1)) && exit
done
arping -q -D -c 1 -w 1 -I "$device" "$address"
# 1: there is an answer. Whatever else goes wrong is no reason to give the address up.
(($? != 1))
