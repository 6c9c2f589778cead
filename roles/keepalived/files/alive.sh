#!/usr/bin/env bash
# alive.sh PORT: does this host's HAProxy answer?
set -u
# Without a program of its own, as this is asked every second.
exec {haproxy}<>"/dev/tcp/127.0.0.1/$1" || exit
printf 'GET /alive HTTP/1.0\r\n\r\n' >&"$haproxy"
read -r -t 1 -u "$haproxy" _ status _ && ((status == 200))
