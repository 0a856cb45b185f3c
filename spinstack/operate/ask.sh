# Asks services what they report about themselves. stats.py puts these in front:
#   mark, most     first word of lines that are not part of an answer; bytes to read of an answer
#   services       array
#   listing        function: prints the containers
#   question_N     function: runs the command of the Nth service in one of its containers
# Afterwards the output of `listing`, then the answers, can be read from descriptor 9. For bash 3.2,
# which chooses no descriptor by itself.

# answer NUMBER: prints the mark with the service and the exit code, then its output.
answer() {
    local said code
    said=$("question_$1" 2>&1 | head -c "$most"; exit "${PIPESTATUS[0]}")
    code=$?
    printf '%s %s %s\n%s\n' "$mark" "${services[$1]}" "$code" "$said"
}

exec 9< <(
    found=$(listing 2>&1)
    printf '%s\n' "$found"
    # All at once; each is printed after those before it.
    line=cat
    for number in "${!services[@]}"; do line="$line <(answer $number)"; done
    eval "$line"
    # Nobody is left for a process that adopts it, and may be slow to see that it has ended.
    wait
)
