# Follows the logs of services as they grow. logs.py puts these values before it:
#   stack            the stack's name
#   services         array
#   first, again     arrays: flags of `rancher logs` for the first time, and after a pause
#   pause            seconds
#   listed           function: prints the existing services, one STACK/SERVICE per line
# Descriptor 3 ends when the reader leaves for any reason; then everything here ends.

# Even through a restart or an upgrade, where the CLI stops following once the last container has
# ended: then the new one's lines since that moment are requested. First it checks that the
# service still exists: `logs` for a stack that is gone would create it again.
follow_service() {
    rancher logs --follow --timestamps "${first[@]}" "$stack/$1"
    while sleep "$pause" && listed | grep -qxF -e "$stack/$1"; do
        rancher logs --follow --timestamps "${again[@]}" "$stack/$1"
    done
}

# Separate process groups, so that ending one ends everything it has started.
set -m
for service in "${services[@]}"; do
    (follow_service "$service") 2>&1 | sed -u "s/^/$service\t/" &
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
