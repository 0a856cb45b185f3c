# Prints the journal of a change as it grows, waiting for lines still to come. Succeeds when the
# change is over; exit code `silent` if there was no heartbeat for too long.
#
# changes.py puts these values in front:
#   journal      the file, which exists already, even if empty
#   mark         first word of those of its lines that are not output
#   first        number of the first line to print
#   begin_seconds, silent_seconds   how long to wait for the first line, and for any later one
#   listen_seconds   the same for a change that looks dead
#   silent       exit code

code=$silent wait=$begin_seconds later=$silent_seconds
if test -s "$journal"; then
    wait=$later
    # The time of the file was set by another machine's clock.
    [ $(($(date +%s) - $(stat -c %Y "$journal"))) -lt "$later" ] ||
        wait=$listen_seconds later=$listen_seconds
fi
# `tail` polls, since the file system does not notify of what other machines write. It prints its
# process id itself: not every bash sets $! to it, and $! may be the change itself.
exec {lines}< <(
    echo $BASHPID
    exec tail -n "+$first" -s 0.2 -f "$journal"
)
read -r -u "$lines" tail
while IFS= read -r -t "$wait" -u "$lines" line; do
    printf '%s\n' "$line"
    wait=$later
    case $line in
        "$mark "*' over '*)
            code=0
            break
            ;;
    esac
done
kill "$tail"
exec {lines}<&-
(exit "$code")
