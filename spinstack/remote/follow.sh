# Prints the journal of a change as it grows, waiting for what is not there yet. Succeeds when the
# change is over, with exit code `silent` when it has given no sign of life for too long.
#
# changes.py puts values before this:
#   journal      the file, which is there already, be it empty
#   mark         begins those of its lines that are no output
#   first        number of the first line that is wanted
#   begin_seconds, silent_seconds   for which it may say nothing before its first line, and later
#   listen_seconds   the same for one that looks dead
#   silent       exit code

code=$silent wait=$begin_seconds later=$silent_seconds
if test -s "$journal"; then
    wait=$later
    # By the time of its file, which another machine's clock has set.
    [ $(($(date +%s) - $(stat -c %Y "$journal"))) -lt "$later" ] ||
        wait=$listen_seconds later=$listen_seconds
fi
# `tail` polls where the file system tells nothing of what other machines write. It says its
# number itself: not every bash has it in $!, where the change itself may be.
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
