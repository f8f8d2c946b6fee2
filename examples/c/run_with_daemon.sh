#!/bin/sh
# Starts a daemon of its own in a temporary folder, runs the program given, stops the daemon.
set -eu
folder=$(mktemp -d)
"${VINEYARDD:-vineyardd}" --socket "$folder/v.sock" --size 64Mi --meta local &
daemon=$!
trap 'kill $daemon; wait $daemon || true; rm -rf "$folder"' EXIT
tries=0
while [ ! -S "$folder/v.sock" ]; do
  tries=$((tries + 1))
  [ $tries -lt 100 ]
  sleep 0.05
done
"$@" "$folder/v.sock"
