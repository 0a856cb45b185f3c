#!/bin/sh
# Starts nginx, and keeps the address of the service `app` in a file that nginx.conf includes.
#
# nginx looks names up once, when it starts, and does not start when one is unknown. So the
# name is looked up here, by the system's own resolver, which works whatever the name server
# is: web starts before app does, and finds it again when its address has changed.
set -u
umask 077

service=app
port=5001
file=/tmp/app-server.conf
pause=3  # seconds between two looks

address() {
    getent ahostsv4 "$service" | { read -r ip _ && echo "$ip"; }
}

# Port 9 of this container, where nothing listens, stands for an unknown address: nginx
# answers 502 until there is one. Twice the same server: what a dying worker did not answer is
# asked once more. After 3 failures nobody has to wait for it, for 2 s.
write() {
    server="server ${1:-127.0.0.1:9} max_fails=3 fail_timeout=2s;"
    printf '%s\n%s\n' "$server" "$server" > "$file.new" && mv "$file.new" "$file"
}

# A name that can't be looked up for a moment keeps its last address.
follow() {
    last=$1
    while sleep "$pause"; do
        now=$(address)
        if [ -n "$now" ] && [ "$now" != "$last" ]; then
            echo "service $service is now at $now" >&2
            write "$now:$port" && kill -HUP "$2" && last=$now
        fi
    done
}

# nginx has a file open for each connection, and those that it keeps open.
ulimit -n "$(ulimit -H -n)"

first=$(address)
write "${first:+$first:$port}"
follow "$first" $$ &
exec nginx -e stderr "$@"
