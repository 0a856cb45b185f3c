#!/bin/sh
# A Rancher that answers at once: what is measured is the way to it. Answers are read without
# starting a program.
here=$HOME/rancher
tell() {
    while IFS= read -r line; do printf '%s\n' "$line"; done <"$1"
}
# become STATE: services and their images from now on, by the env file of the release.
become() {
    for file in services rows; do
        sed "s/@STATE@/$1/; s|@APP@|$(sed -n 's/^APP_IMAGE=//p' stack.env)|
            s|@WEB@|$(sed -n 's/^WEB_IMAGE=//p' stack.env)|" "$here/$file.in" >"$here/$file"
    done
}
case $1 in
ps)
    case " $* " in
    *" --containers "*) tell "$here/containers" ;;
    *" row|"*) tell "$here/rows" ;;
    *) tell "$here/services" ;;
    esac ;;
logs) tell "$here/log" ;;
up)
    case " $* " in
    *" --render "*) tell docker-compose.yml ;;
    *" --confirm-upgrade "* | *" --rollback "*) become active ;;
    *" --upgrade "*) become upgraded ;;
    esac ;;
esac
