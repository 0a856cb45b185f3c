# limited SECONDS COMMAND…: runs a command without input; exit code 124 if the time is up, as with
# coreutils' timeout, which macOS does not have.
limited() {
    local seconds=$1 command guard code
    shift
    "$@" </dev/null &
    command=$!
    # With nothing open that a reader of the command's output waits for.
    (
        # Or the sleep would outlive it, and whoever ends this shell would wait for it.
        trap 'kill $!; wait; exit' TERM
        sleep "$seconds" &
        wait $! && kill "$command"
    ) </dev/null >/dev/null 2>&1 3<&- &
    guard=$!
    wait "$command" 2>/dev/null
    code=$?
    kill "$guard" 2>/dev/null
    wait "$guard" 2>/dev/null
    if [ "$code" -eq 143 ]; then return 124; fi
    return "$code"
}
