#!/bin/sh
# As hub.docker.com/_/redis says: what is not named by its program is a setting of the server's.
set -eu
case "$1" in -* | *.conf) set -- redis-server "$@" ;; esac
umask 0077
exec "$@"
