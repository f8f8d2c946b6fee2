#!/bin/sh
# watch_test.sh WATCHER MAKER SOCKET: starts the watcher for two events, makes them once it watches, and
# waits until it has ended by itself.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkfifo "$folder/lines"
"$1" "$3" 2 >"$folder/lines" &
watcher=$!
exec 3<"$folder/lines"
read -r line <&3
[ "$line" = watching ]
"$2" put "$3"
cat <&3
wait $watcher
