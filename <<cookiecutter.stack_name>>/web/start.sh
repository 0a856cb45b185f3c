#!/bin/sh
<%- if cookiecutter.kind == "static" %>
# Starts nginx with limits that suit the container.
<%- else %>
# Starts nginx with limits that suit the container, and keeps the address of the service `app` in
# a file that nginx includes.
#
# nginx looks names up only when it starts, and does not start if one is unknown. So the name is
# looked up here, with the system's resolver, which works with any name server: web can start
# before app, and finds it again when its address has changed.
<%- endif %>
set -u
umask 077

<% if cookiecutter.kind != "static" -%>
service=app
port=5001
file=/tmp/app-server.conf
pause=1  # seconds between two lookups

address() {
    getent ahostsv4 "$service" | { read -r ip _ && echo "$ip"; }
}

# Port 9 of this container, where nothing listens, stands for an unknown address: nginx
# answers 502 until there is one. Twice the same server: what a dying worker did not answer is
# retried once. After 5 failures, more than one worker has threads, nobody has to wait for it, for
# 1 s.
write() {
    server="server ${1:-127.0.0.1:9} max_fails=5 fail_timeout=1s;"
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

<% endif -%>
# A worker for each core that the container was given, four at most: nginx's own `auto` counts
# all the cores of the node. Of the files that each may have open (where there are enough,
# as with Docker's 1048576, the upper limits count), a quarter is for connections: those of
# clients that do nothing are held until they are timed out. The others are kept open pages.
tune() {
    ulimit -n "$(ulimit -H -n)"
    files=$(ulimit -n)
    case $files in unlimited) files=1048576 ;; esac
    connections=$(least $((files / 4)) 8192)
    echo "worker_processes $(least "$(nproc)" 4);" \
         "events { worker_connections $connections; }" > /tmp/workers.conf
    echo "open_file_cache max=$(least $((files - connections - files / 20)) 20000)" \
         "inactive=60s;" > /tmp/open-files.conf
}

least() {
    if [ "$1" -lt "$2" ]; then echo "$1"; else echo "$2"; fi
}

# The networks of the proxies that web is behind, whose word about the visitor's address counts; none
# where nothing is in front.
trust() {
    for network in ${TRUSTED_PROXIES-}; do
        echo "set_real_ip_from $network;"
    done > /tmp/trusted-proxies.conf
}

# A container that was killed and started again may find the sockets of the one before it, on
# which nginx can't listen.
rm -f /tmp/*.sock
tune
trust

<% if cookiecutter.kind != "static" -%>
first=$(address)
write "${first:+$first:$port}"
follow "$first" $$ &
<% endif -%>
exec nginx -e stderr "$@"
