#!/bin/sh
# expect.sh PATTERN PROGRAM [ARGUMENT]...: the program succeeds and a line that it prints matches.
set -eu
pattern=$1
shift
lines=$("$@")
printf '%s\n' "$lines"
printf '%s\n' "$lines" | grep -qE -- "$pattern"
