#!/bin/sh
# The virtual address leaves this host, and no request is cut off: who comes now is not heard, and comes again a second later
# (the first retransmission of a connection's first packet, RFC 6298) to the next holder; who is being served is served meanwhile.
# Without a filter of packets, or where the address is elsewhere, it is handed over all the same. Where nobody takes it, it comes back.
set -eu
address=$1
port=$2
served=0.3

# A connection that is refused is an answer, too.
answered() {
  python3 -c '
import contextlib, socket, sys
with contextlib.suppress(ConnectionRefusedError):
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()
' "$address" "$port" 2>/dev/null
}

quiet() {
  case $address in *:*) family=ip6 tables=ip6tables ;; *) family=ip tables=iptables ;; esac
  if command -v nft >/dev/null; then
    nft "add table inet monitoring_ha_hand_over
      add chain inet monitoring_ha_hand_over input { type filter hook input priority -300; }
      add rule inet monitoring_ha_hand_over input $family daddr $address tcp flags & (syn|ack) == syn drop"
  elif command -v "$tables" >/dev/null; then
    "$tables" -w -I INPUT -d "$address" -p tcp --syn -j DROP
  fi
}

heard() {
  if command -v nft >/dev/null; then
    nft delete table inet monitoring_ha_hand_over
  elif command -v "$tables" >/dev/null; then
    "$tables" -w -D INPUT -d "$address" -p tcp --syn -j DROP
  fi
}

if systemctl --quiet is-active keepalived.service; then
  if ip -o address show to "$address" | grep -q .; then
    trap 'heard 2>/dev/null || true' EXIT
    trap 'exit 1' INT TERM HUP
    ! quiet 2>/dev/null || sleep "$served"
    systemctl stop keepalived.service
    # The next holder has the address, and the neighbours know.
    sleep 1
    if ! answered && ! { sleep 1 && answered; } && ! { sleep 1 && answered; }; then
      systemctl start keepalived.service
      echo "$address: no other load balancer takes it" >&2
      exit 1
    fi
  else
    systemctl stop keepalived.service
  fi
  echo 'handed over'
fi
