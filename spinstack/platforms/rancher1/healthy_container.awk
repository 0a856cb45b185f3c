# The id of the first container with such a name that is running, and healthy if it has a check:
# an upgrade keeps old ones with the same name, stopped.
$0 ~ name && /"CombinedState":"(running|healthy)"/ && match($0, /"ID":"[^"]+"/) {
    print substr($0, RSTART + 6, RLENGTH - 7)
    exit
}
