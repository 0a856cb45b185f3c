# The id of the first container with such a name, if it runs and is healthy where it has a check:
# an upgrade keeps old ones of the very same name, stopped.
$0 ~ name && /"CombinedState":"(running|healthy)"/ && match($0, /"ID":"[^"]+"/) {
    print substr($0, RSTART + 6, RLENGTH - 7)
    exit
}
