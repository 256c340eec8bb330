#!/bin/sh
# Runs every test: those that mostly wait (Janus, browsers, kills), and beside them, in a process of their own that gets
# what time is left (media are played in real time), all others. What those print is shown at the end. Arguments are pytest's, for both.
set -u
cd "$(dirname "$0")/.."
waiting="media or browser or faults"
printed=$(mktemp)
nice -n 15 .venv/bin/pytest -p no:cacheprovider -m "not ($waiting)" "$@" >"$printed" 2>&1 &
others=$!
trap 'kill "$others" 2>/dev/null; rm -f "$printed"' EXIT
trap 'exit 130' INT TERM
.venv/bin/pytest -m "$waiting" "$@"
first=$?
echo "All other tests, which have been running meanwhile:"
tail --pid="$others" --sleep-interval=0.5 -n +1 -f "$printed"
wait "$others"
second=$?
[ "$first" = 0 ] && [ "$second" = 0 ]
