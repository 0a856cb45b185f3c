# Follows the logs of services as they grow. logs.py puts these values before it:
#   services   array
#   first      array: flags of `kubectl logs` for the first time
#   pause      seconds
#   logs       function: follows the log of the service that it is given, with further flags
#   listed     function: prints the existing services, one per line
# Descriptor 3 ends when the reader leaves for any reason; then everything here ends. For bash 3.2.

# kubectl follows the pods that there are, until all of them have ended: then those that there are
# now are followed, with what they have said since it last began. Lines may come twice.
follow_service() {
    local began=$SECONDS ago
    logs "$1" "${first[@]}"
    while sleep "$pause" && listed | grep -qxF -e "$1"; do
        ago=$((SECONDS - began + pause))
        began=$SECONDS
        logs "$1" --tail=-1 "--since=${ago}s"
    done
}

named() {
    local line
    while IFS= read -r line; do printf '%s\t%s\n' "$1" "$line"; done
}

# Separate process groups, so that ending one ends everything it has started.
set -m
for service in "${services[@]}"; do
    (follow_service "$service") 2>&1 | named "$service" &
done
jobs=$(jobs -p)
# This one too; it ends when the logs do.
(
    while read -r -u 3 _; do :; done
    for job in $jobs; do kill -- "-$job"; done 2>/dev/null
) >/dev/null 2>&1 &
guard=$!
set +m
# shellcheck disable=SC2086 # one word each
wait $jobs 2>/dev/null
kill -- "-$guard" 2>/dev/null
true
