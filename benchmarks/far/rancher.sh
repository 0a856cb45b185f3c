#!/bin/sh
# A Rancher that answers at once: what is measured is the way to it.
here=$HOME/rancher
case $1 in
ps)
    case " $* " in
    *" --containers "*) cat "$here/containers" ;;
    *) sed "s/@STATE@/$(cat "$here/state")/g" "$here/services" ;;
    esac ;;
logs) cat "$here/log" ;;
inspect) head -n 1 "$here/services" ;;
up)
    case " $* " in
    *" --render "*) cat docker-compose.yml rancher-compose.yml ;;
    *" --confirm-upgrade "* | *" --rollback "*) echo active >"$here/state" ;;
    *" --upgrade "*) echo upgraded >"$here/state" ;;
    esac ;;
esac
