#!/bin/sh
# custom_type_test.sh PROGRAM SOCKET: one process puts, another reads.
set -eu
"$1" put "$2"
"$1" read "$2"
