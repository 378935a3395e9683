# How long steps may take, and what is tried again: for scripts that must come to an end, whatever hangs.

# Runs a command, which ends with the script and at the latest after this time. It is waited for in the background, where a
# shell hears that it is to stop.
within() {
  local status=0
  timeout --kill-after=30s "$@" &
  step_running=$!
  wait "$step_running" || status=$?
  step_running=
  [ "$status" -ne 124 ] && [ "$status" -ne 137 ] || echo "not done within $1: ${*:2}" >&2
  return "$status"
}

# To be done when the script ends.
end_step() {
  [ -z "${step_running:-}" ] || kill "$step_running" 2> /dev/null || true
}

# A registry that does not answer is asked again, not worked around. Takes how long each attempt may last.
again() {
  for attempt in 1 2 3 4 5; do
    within "$@" && return 0
    echo "attempt $attempt failed: ${*:2}" >&2
    sleep $((attempt * 10))
  done
  return 1
}
