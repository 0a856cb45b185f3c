#!/bin/sh
# A Rancher that answers at once: what is measured is the way to it. Answers are written down
# for each state, and told without starting a program.
here=$HOME/rancher
tell() {
    while IFS= read -r line; do printf '%s\n' "$line"; done <"$1"
}
read -r state <"$here/state"
case $1 in
ps)
    case " $* " in
    *" --containers "*) tell "$here/containers" ;;
    *" row|"*) tell "$here/rows.$state" ;;
    *) tell "$here/services.$state" ;;
    esac ;;
logs) tell "$here/log" ;;
up)
    case " $* " in
    *" --render "*) tell docker-compose.yml ;;
    *" --confirm-upgrade "* | *" --rollback "*) echo active >"$here/state" ;;
    *" --upgrade "*) echo upgraded >"$here/state" ;;
    esac ;;
esac
