# A change of a stack, run on the login node on its own, whether somebody follows it or not.
#
# job.py puts values and functions with the platform's commands in front, and `change` at the end:
#   mark                 first word of the lines of the journal that are not output
#   stack, address       the stack's name; fqdn or endpoint: how visitors find it
#   made                 what is changed and by whom, for the journal's first line
#   place                directory of this change; a file `stop` in it asks to roll back, a file
#                        `hold` to make nothing final while somebody is asked about it
#   services, pages      arrays: what must be up, the pages that must respond correctly
#   ran, added           arrays: services that ran before; those that did not exist before
#   up_words, open_words, at_rest_words   arrays: the platform's words for states in which a
#                        service runs, is between the steps of an upgrade, can be upgraded
#   ready_step           name of the step that makes the platform ready
#   healthy_within, answer_within, refused_within   seconds
#   patience             seconds for which the platform may give no answer that makes sense
#   creating, careful, resuming, confirming, two_steps     yes or empty; two_steps: an upgrade
#                        stays open until it is confirmed, in states of open_words
#   complaint, error     patterns of what the platform prints when it did not carry out a command
#   ready enter still_ours note_upgrade rows log_of stop_service mark_current forget unlock
#   write_down           functions, a command or a few each
#   render bring confirm put_back    functions that become the command: for `order` only

# The last words of the journal, and of the record: how it ended.
outcome=failed
# Services that are not healthy, whose last log lines are to be shown; the site's address, to ask.
ill=() site=
# Whether it is too late to stop; a file for a command's output; when one is ended (SECONDS).
final='' said='' deadline=
# What the last look has seen, by service.
declare -A state=() health=() moving=()

say() { printf '\n%s %(%s)T %s\n' "$mark" -1 "$*"; }

# step NAME COMMAND [ARGUMENT…]: runs the command in this shell, its output between two marks.
step() {
    local name=$1 code
    shift
    say begin "$name"
    "$@" 2>&1
    code=$?
    say end "$code"
    return "$code"
}

stopping() { [ -z "$final" ] && [ -e "$place/stop" ]; }

# While the person who started the change is asked whether to continue, nothing is made final;
# but not for ever, since the laptop may be gone.
wait_for_word() {
    local end=$((SECONDS + 120))
    while [ -e "$place/hold" ] && ! stopping && ((SECONDS < end)); do sleep 0.2; done
    if stopping; then return 75; fi
}

word() {
    if [ -e "$place/hold" ] || stopping; then step 'wait for a word' wait_for_word; fi
}

# order PATTERN COMMAND [ARGUMENT…]: fails like the command; with 65 if it printed a line that
# matches the pattern, with 75 if somebody asked to stop meanwhile. Where `deadline` is set, it
# looks at the states beside the command, and ends it with 124 at that second.
order() {
    local pattern=$1 pid code cut=0 next=$((SECONDS + 1))
    shift
    "$@" >"$said" 2>&1 </dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        if stopping; then
            cut=75
        elif [ -n "$deadline" ] && ((SECONDS >= deadline)); then
            cut=124
        fi
        if [ "$cut" -ne 0 ]; then
            kill "$pid"
            [ "$cut" -ne 124 ] || look
            break
        fi
        if [ -n "$deadline" ] && ((SECONDS >= next)); then
            look
            next=$((SECONDS + 1))
        fi
        sleep 0.1
    done
    wait "$pid"
    code=$?
    cat "$said"
    [ "$cut" -eq 0 ] || return "$cut"
    [ "$code" -eq 0 ] || return "$code"
    if grep -Eq "$pattern" "$said"; then return 65; fi
}

# read_rows TEXT: reads the stack's services into state, health and moving, the site's address
# into site; fails if the text is not an answer.
read_rows() {
    local word name is_in feels moves points fqdn rest first= answered=
    unset state health moving
    declare -gA state=() health=() moving=()
    site=
    [ -n "$1" ] || return 0
    while IFS='|' read -r word name is_in feels moves points fqdn rest; do
        [ "$word" = row ] || continue
        answered=yes
        [ "${name%%/*}" = "$stack" ] || continue
        name=${name#*/}
        # A sidekick's name has a second slash; its state is that of its service.
        case $name in '' | */*) continue ;; esac
        state[$name]=$is_in health[$name]=$feels moving[$name]=$moves
        if [ -n "$points" ] && { [ -z "$first" ] || [[ $name < $first ]]; }; then
            first=$name points=${points%% *}
            site=http://$points
            [ "$address" = fqdn ] && [ -n "$fqdn" ] && site=http://$fqdn:${points##*:}
        fi
    done < <(printf '%s\n' "$1")
    [ -n "$answered" ]
}

# look: one round of states, printed and read; fails without an answer. An environment may be
# shared: of its hundreds of services each second the journal only gets those of this stack.
look() {
    local text code line
    text=$(rows 2>&1)
    code=$?
    while IFS= read -r line; do
        case $line in "row|$stack/"*) ;; 'row|'*) continue ;; esac
        printf '%s\n' "$line"
    done < <(printf '%s\n' "$text")
    printf 'round %s\n' "$code"
    [ "$code" -eq 0 ] && read_rows "$text"
}

# one_of WORD WORD…: whether the first is one of the others.
one_of() {
    local word=$1 other
    shift
    for other; do [ "$word" != "$other" ] || return 0; done
    return 1
}

is_up() {
    one_of "${state[$1]-}" "${up_words[@]}" || return 1
    case ${health[$1]-} in '' | healthy) ;; *) return 1 ;; esac
    [ "${moving[$1]-}" != yes ]
}

# watch SECONDS SERVICE…: 0 all are up, 1 one has failed for good, 2 the time is up, 3 the platform
# has given no answer that makes sense for long, 75 somebody asks to stop. `ill`: those that are
# not up, or have failed for good.
watch() {
    local end=$((SECONDS + $1)) heard=$SECONDS name hopeless
    local -A unhealthy=()
    shift
    ill=("$@")
    while :; do
        if look; then
            heard=$SECONDS ill=() hopeless=()
            for name in "$@"; do
                if [ "${health[$name]-}" = unhealthy ]; then
                    unhealthy[$name]=$((${unhealthy[$name]-0} + 1))
                else
                    unhealthy[$name]=0
                fi
                is_up "$name" || ill+=("$name")
                if [ "${moving[$name]-}" = error ] || [ "${unhealthy[$name]}" -ge 3 ]; then
                    hopeless+=("$name")
                fi
            done
            [ ${#ill[@]} -gt 0 ] || return 0
            if [ ${#hopeless[@]} -gt 0 ]; then
                ill=("${hopeless[@]}")
                return 1
            fi
        elif ((SECONDS - heard >= patience)); then
            return 3
        fi
        if stopping; then return 75; fi
        if ((SECONDS >= end)); then
            # Nothing can be said about services whose states have not been seen for a while.
            ((SECONDS - heard < 5)) && return 2
            return 3
        fi
        sleep 1
    done
}

# settle SECONDS: lets services that were already changing state reach one, if they do in time.
settle() {
    local end=$((SECONDS + $1)) name still
    while ((SECONDS < end)); do
        still=
        if look; then
            for name in "${!moving[@]}"; do [ "${moving[$name]}" != yes ] || still=yes; done
            [ -n "$still" ] || return 0
        fi
        if stopping; then return 75; fi
        sleep 1
    done
}

# Services between the two steps of an upgrade; with "stuck" only those that have failed.
unconfirmed() {
    local name
    for name in "${!state[@]}"; do
        one_of "${state[$name]}" "${open_words[@]}" || continue
        if [ "${1-}" != stuck ] || [ "${moving[$name]}" = error ]; then printf '%s\n' "$name"; fi
    done
}

# Stops what the platform would refuse to upgrade. Source: Spin's own advice, ten seconds.
stop_first() {
    local name stopped=
    for name in "${!state[@]}"; do
        one_of "${state[$name]}" "${at_rest_words[@]}" && continue
        stop_service "$name"
        stopped=yes
    done
    [ -z "$stopped" ] || sleep 10
}

# remarks WORD: the lines `WORD: …` of an answer that begins with `ok`; fails if there are none.
remarks() { head -c 4000 "$said" | sed -n '1 { /^ok$/! q }; /^'"$1"': /p' | grep .; }

# ask: asks for every page of the site, until it responds correctly, or the time is up, or it was
# refused for so long that it won't come (4xx, but for those that may pass). A page that is only
# `ok` may go on with lines `pending: …`, for which some time is waited, and `warning: …`.
ask() {
    local page end status late refused
    if [ -z "$site" ]; then
        echo 'no port is published'
        return 0
    fi
    for page in "${pages[@]}"; do
        end=$((SECONDS + answer_within)) refused=
        while :; do
            : >"$said"
            # Without the person's own curl settings, and without globbing in a page's name.
            status=$(curl -q -g -sS -L --noproxy '*' -o "$said" -w '%{http_code}' --max-time 10 \
                "$site$page" 2>&1)
            printf 'asked %s: %s\n' "$site$page" "${status//$'\n'/ }"
            late=
            ((SECONDS < end)) || late=yes
            case ${status: -3} in
            2??)
                if [ -n "$late" ] || ! remarks pending; then
                    remarks warning
                    break
                fi
                ;;
            408 | 425 | 429 | [!4]??)
                refused=
                [ -z "$late" ] || return 1
                ;;
            *)
                : "${refused:=$SECONDS}"
                [ -z "$late" ] && ((SECONDS - refused < refused_within)) || return 1
                ;;
            esac
            if stopping; then return 75; fi
            sleep 0.5
        done
    done
}

# The states once more, from a platform that may have problems of its own just now.
look_again() {
    local end=$((SECONDS + patience))
    until look; do
        ((SECONDS < end)) || return 1
        sleep 2
    done
}

# roll_back SERVICE…: starts the old containers again, one service at a time: several at once fail
# if one of them has nothing to go back to. One that fails does not keep the others from it.
roll_back() {
    local name code=0
    for name in "$@"; do order "$error" put_back "$name" || code=$?; done
    return "$code"
}

back_up() { watch 60 "$@"; }

# Services that there were none of before have nothing to go back to: they stay, and are named.
keep_added() {
    local name stay=()
    for name in "${added[@]}"; do [ -z "${state[$name]-}" ] || stay+=("$name"); done
    [ ${#stay[@]} -eq 0 ] || step 'leave what is new' printf '%s\n' "${stay[@]}"
}

# take_back: after a failure, brings back what ran before, and prints why it was needed.
take_back() {
    local names name
    outcome=unfinished
    if stopping; then ill=(); fi
    for name in "${ill[@]}"; do step "last lines of $name" log_of "$name"; done
    if [ -n "$creating" ]; then
        outcome=stays
        return
    fi
    # The request to stop must not stop the rollback, too.
    final=yes
    # If somebody else is changing the stack now, what is unfinished may be theirs.
    step 'lock still ours' still_ours || { outcome='lock lost'; return 1; }
    step 'look again' look_again || return
    [ -z "$two_steps" ] || keep_added
    # Where what ran before is replaced at once, no state tells of which service it was.
    names=("${services[@]}")
    [ -z "$two_steps" ] || mapfile -t names < <(unconfirmed | sort)
    if [ ${#names[@]} -gt 0 ]; then
        step 'roll back' roll_back "${names[@]}" || return
    fi
    step 'forget the upgrade' forget
    # Also those that were not upgraded: what is said of the version before has to be seen.
    for name in "${ran[@]}"; do one_of "$name" "${names[@]}" || names+=("$name"); done
    outcome='taken back, not well'
    if [ ${#names[@]} -gt 0 ] && step 'wait for the old ones' back_up "${names[@]}"; then
        outcome='taken back'
    fi
}

# What is checked before anything that runs is touched.
prepare() {
    local names
    step "$ready_step" ready || return
    step 'enter the release' enter || return
    step 'render' order "$complaint" render || return
    if [ -n "$careful" ]; then
        step 'let it settle' settle 60 || return
        mapfile -t names < <(unconfirmed stuck | sort)
        if [ -n "$resuming" ] && [ ${#names[@]} -gt 0 ]; then
            step 'take back what is stuck' roll_back "${names[@]}" || return
            step 'look again' look || return
        fi
    fi
    step 'lock still ours' still_ours || return
    step 'note the upgrade' note_upgrade
}

carry_out() {
    [ -z "$careful" ] || step 'stop what is in the way' stop_first
    # The platform's program may wait for the containers itself, and for ever: pulling an image.
    local deadline=$((SECONDS + healthy_within)) name code=0
    step 'bring up' order "$error" bring || code=$?
    if [ "$code" -eq 124 ]; then
        for name in "${services[@]}"; do is_up "$name" || ill+=("$name"); done
    fi
    [ "$code" -eq 0 ] || return "$code"
    step 'wait until healthy' watch $((deadline - SECONDS)) "${services[@]}" || return
    ill=("${services[@]}")
    step 'ask the site' ask
}

change() {
    local upkeep=$$
    # A heartbeat, also for those who look at the file's time.
    (while sleep 5 && kill -0 "$upkeep" 2>/dev/null; do say alive; done) &
    beat=$!
    # Output is kept outside the project's file system, which may be full.
    said=$(mktemp) || said=$place/said
    trap 'kill "$beat" 2>/dev/null; rm -f "$said"' EXIT
    trap '' HUP
    say made "$made"
    if prepare; then
        if carry_out && word; then
            final=yes
            # Where no service had to be replaced, there is nothing to go back to.
            if [ -z "$confirming" ] && [ -n "$(unconfirmed)" ]; then
                outcome='left open'
            elif ! step 'lock still ours' still_ours; then
                outcome='lock lost'
            else
                outcome=unfinished
                if step 'confirm' order "$error" confirm; then
                    outcome='done, not noted'
                    step 'mark as current' mark_current && outcome=done
                fi
            fi
        else
            take_back
        fi
    fi
    step 'write it down' write_down
    step 'unlock' unlock
    say over "$outcome"
}
