# Login shells of the rehearsal read this; the lines above it say where things are.

echo '--------------------------------------------------------------'
echo ' Rehearsal of a NERSC login node, on your own machine.'
echo ' Spin is a module here too: module load spin'
echo '--------------------------------------------------------------'

_rehearsal_load() {
    local known
    for known in $_rehearsal_modules; do
        case $1 in
            "$known" | "$known"/*)
                case :$PATH: in
                    *:"$_rehearsal_tools":*) ;;
                    *) export PATH=$_rehearsal_tools:$PATH ;;
                esac
                export LOADEDMODULES=$1
                return 0 ;;
        esac
    done
    # Lmod's own words, on standard error as there.
    echo "Lmod has detected the following error: The following module(s) are unknown: \"$1\"" >&2
    return 1
}

_rehearsal_unload() {
    local path=:$PATH:
    path=${path/:"$_rehearsal_tools":/:}
    path=${path#:}
    export PATH=${path%:}
    unset LOADEDMODULES
}

module() {
    local what=${1:-} name
    [ $# -gt 0 ] && shift
    case $what in
        load | add)
            for name in "$@"; do _rehearsal_load "$name" || return 1; done ;;
        unload | rm | purge) _rehearsal_unload ;;
        list) echo "Currently Loaded Modules: ${LOADEDMODULES:-none}" >&2 ;;
        avail | spider) echo "Modules of this rehearsal: $_rehearsal_modules" >&2 ;;
        *)
            echo 'module: the rehearsal knows load, unload, list and avail' >&2
            return 1 ;;
    esac
}

PS1="demo@$_rehearsal_node:\\w> "
