#!/bin/busybox sh
# Answers the host at the virtio-serial port mcp.control, one line a request, for as long as the guest runs:
#   ID listens PORT        (in hex) -> ID 0, or ID 1: nothing listens at this TCP port for anybody but the guest itself
#   ID run SECONDS TEXT    (of the shell, in base64) -> ID + BASE64 of what it printed, 64 KiB at most, in pieces; then its
#                          exit code, or over: it was killed at its limit. ID CODE | ID over
# A line is written at once, so lines of several answers do not mix. Ends well where there is no such port.
b=/bin/busybox
chunk=12288
encoded=16384
# Of 512 bytes.
blocks=128

run() {
  d=/run/$1
  $b mkdir "$d" && $b mkfifo "$d/pipe" || return
  echo "$3" | $b base64 -d > "$d/text"
  # Each in a session of its own, so that all that it has started can be killed with it.
  $b setsid $b sh "$d/text" < /dev/null > "$d/pipe" 2>&1 3>&- &
  program=$!
  # Not head, which keeps what it has until there is more.
  $b setsid $b sh -c "ulimit -f $blocks; trap '' XFSZ; $b cat > $d/output; exec $b cat > /dev/null" < "$d/pipe" 2> /dev/null 3>&- &
  reader=$!
  (
    trap 'kill $sleep; exit' TERM
    $b sleep "$2" &
    sleep=$!
    wait $sleep
    : > "$d/over"
    kill -9 -$program -$reader
  ) 3>&- 2> /dev/null &
  timer=$!
  wait $program
  code=$?
  [ ! -e "$d/over" ] || code=over
  # A child of the program may hold its output open; until the limit, too.
  wait $reader
  kill $timer 2> /dev/null
  n=0
  while [ -s "$d/output" ]; do
    piece=$($b dd if="$d/output" bs=$chunk skip=$n count=1 2> /dev/null | $b base64 -w 0)
    [ -z "$piece" ] || echo "$1 + $piece" >&3
    [ ${#piece} -eq $encoded ] || break
    n=$((n + 1))
  done
  echo "$1 $code" >&3
  $b rm -rf "$d"
}

# The last to be killed when memory runs out.
echo -1000 > /proc/self/oom_score_adj
port='' tries=0
while [ ! -c "$port" ]; do
  [ $tries -lt 100 ] || exit 0
  [ $tries -eq 0 ] || $b sleep 0.1
  tries=$((tries + 1))
  for named in /sys/class/virtio-ports/*/name; do
    name=''
    read -r name 2> /dev/null < "$named"
    [ "$name" != mcp.control ] || port=/dev/$($b basename "${named%/name}")
  done
done
exec 3<> "$port"
# The write waits until the host has connected, and the reading ends when it goes away.
while echo >&3; do
  while read -r id what first second <&3; do
    case $what in
    listens)
      # 127.0.0.1 and ::1 are out of the host's reach.
      $b awk -v port=":$first\$" '
        $4 == "0A" && $2 ~ port && $2 !~ /^(......7F|0000000000000000(FFFF0000......7F|0000000001000000)):/ { found = 1; exit }
        END { exit !found }' /proc/net/tcp*
      echo "$id $?" >&3
      ;;
    # Twice in the background: process 1 takes what is left of it.
    run) (run "$id" "$first" "$second" &) ;;
    esac
  done
done
exit 1
