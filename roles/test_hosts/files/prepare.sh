#!/bin/sh
# Turns a fresh Debian tree ($1) into one that boots in a container: nothing that waits for hardware or a console.
set -eu
root=$1
for unit in getty.target console-getty.service systemd-logind.service systemd-udevd.service systemd-networkd-wait-online.service \
  systemd-resolved.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
mkdir -p "$root/var/log/journal" "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nSystemMaxUse=64M\nRateLimitBurst=0\n' >"$root/etc/systemd/journald.conf.d/test-host.conf"
printf 'APT::Install-Recommends "false";\nAcquire::Languages "none";\n' >"$root/etc/apt/apt.conf.d/90test-host"
rm -f "$root/etc/machine-id" && : >"$root/etc/machine-id"
rm -f "$root/etc/hostname" "$root/usr/sbin/policy-rc.d"
