# Follows the logs of services as they grow. logs.py puts values before this:
#   stack            the stack's name
#   services         array
#   first, again     arrays: flags of `rancher logs` for the first time, and after a pause
#   pause            seconds
#   listed           function: prints the services that are there, STACK/SERVICE a line
# Descriptor 3 ends when whoever reads this leaves, however: then all of it ends.

# Also through a restart or an upgrade, at which the CLI's following ends once the last container
# has: what the first one printed since then is asked for again. It asks whether the service is
# still there: `logs` of a stack that is gone would make it anew.
follow_service() {
    rancher logs --follow --timestamps "${first[@]}" "$stack/$1"
    while sleep "$pause" && listed | grep -qxF -e "$stack/$1"; do
        rancher logs --follow --timestamps "${again[@]}" "$stack/$1"
    done
}

# Process groups of their own, so that ending one ends all that it has started.
set -m
for service in "${services[@]}"; do
    (follow_service "$service") 2>&1 | sed -u "s/^/$service\t/" &
done
jobs=$(jobs -p)
# This one, too, which ends when the logs do.
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
