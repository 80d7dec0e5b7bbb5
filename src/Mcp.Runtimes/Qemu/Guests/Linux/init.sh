#!/bin/busybox sh
# Process 1 of a microvm. Disks: vda the image's root, read-only; vdb a tar of what this instance is; vdc takes the exit code.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/modules/$module"; done < /modules/order
$b stty -onlcr -echo < /dev/console
$b tar -xf /dev/vdb -C /config
. /config/guest
$b mount -t ext4 -o ro /dev/vda /lower
$b mount -t tmpfs -o mode=0755 overlay /upper
$b mkdir /upper/files /upper/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /root
$b mkdir -p /root/proc /root/sys /root/dev /root/etc /root/run /root/.mcp
$b mount -t proc proc /root/proc
$b mount -t sysfs -o ro sys /root/sys
$b mkdir -p /dev/pts /dev/shm /dev/mqueue
for link in fd: stdin:/0 stdout:/1 stderr:/2; do $b ln -sf "/proc/self/fd${link#*:}" "/dev/${link%%:*}"; done
# Whoever the program is, it writes to what it has as standard output.
$b chmod 0666 /dev/console /proc/self/fd/1
$b mount --bind /dev /root/dev
$b mount -t devpts -o gid=5,mode=0620,ptmxmode=0666 devpts /root/dev/pts
$b mount -t tmpfs -o mode=1777,nosuid,nodev shm /root/dev/shm
$b mount -t mqueue mqueue /root/dev/mqueue 2> /dev/null
for volume in $VOLUMES; do
  tag=${volume%%:*} rest=${volume#*:}
  $b mkdir -p "/root${rest#*:}"
  $b mount -t virtiofs -o "${rest%%:*}" "$tag" "/root${rest#*:}"
done
$b hostname "$HOSTNAME"
$b ip link set lo up
$b ip link set eth0 up
$b ip addr add "$ADDRESS" dev eth0
[ -z "$GATEWAY" ] || $b ip route add default via "$GATEWAY"
$b rm -f /root/etc/resolv.conf /root/etc/hosts /root/etc/hostname
echo "$HOSTNAME" > /root/etc/hostname
printf '127.0.0.1 localhost\n::1 localhost\n%s %s\n' "${ADDRESS%/*}" "$HOSTNAME" > /root/etc/hosts
[ -z "$NAMESERVER" ] || echo "nameserver $NAMESERVER" > /root/etc/resolv.conf
[ -z "$ADD_USER" ] || echo "$ADD_USER" >> /root/etc/passwd
$b cp $b /root/.mcp/busybox
$b cp /config/run /config/exec /root/.mcp
$b chmod 0700 /root/.mcp/run /root/.mcp/exec
$b rm -rf /config
$b chroot /root /.mcp/busybox sh /.mcp/run < /dev/null &
program=$!
( until $b sh /channel; do $b sleep 1; done ) < /dev/null &
# The power button asks for an orderly end.
( $b dd if=/dev/input/event0 bs=24 count=1 > /dev/null 2>&1; kill -${STOP_SIGNAL:-15} $program ) &
wait $program
echo $? > /dev/vdc
$b sync
echo "0 0 0 0" > /proc/sys/kernel/printk
$b poweroff -f
