# Asks services what they tell of themselves. stats.py puts before this:
#   mark, most     begins the lines that are no answer; bytes of an answer that are read
#   services       array
#   listing        function: prints the containers
#   question_N     function: runs the command of the Nth service in one of its containers
# Afterwards the file descriptor $told has what `listing` printed, then the answers.

# answer NUMBER: the mark with the service and the exit code, and what it printed.
answer() {
    local said code
    said=$("question_$1" 2>&1 | head -c "$most"; exit "${PIPESTATUS[0]}")
    code=$?
    printf '%s %s %s\n%s\n' "$mark" "${services[$1]}" "$code" "$said"
}

exec {told}< <(
    found=$(listing 2>&1)
    printf '%s\n' "$found"
    # All at once; each is shown when all those before it are.
    answers=()
    for number in "${!services[@]}"; do
        exec {one}< <(answer "$number")
        answers+=("$one")
    done
    for one in "${answers[@]}"; do cat <&"$one"; done
)
