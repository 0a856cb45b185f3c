# Functions that `invoke setup` sends to the login node. They only look, and print one fact per
# line: its name, then its parts separated by tabs.

# What is on the way from / to each directory, both as written and with links resolved.
spinstack_directories() {
    local path real prefix number=0 parts=(/)
    for path in "$@"; do
        real=$(realpath -m -- "$path") || real=$path
        printf 'real\t%s\t%s\n' "$number" "$real"
        printf 'access\t%s\t' "$number"
        [ -r "$path" ] && printf r
        [ -w "$path" ] && printf w
        [ -x "$path" ] && printf x
        printf '\n'
        for prefix in "$path" "$real"; do
            while [ -n "$prefix" ]; do
                parts+=("$prefix")
                prefix=${prefix%/*}
            done
        done
        number=$((number + 1))
    done
    # For stat, missing ones are errors, and not a fact.
    stat -L -c $'place\t%u\t%U\t%A\t%n' -- "${parts[@]}" 2>/dev/null
    return 0
}

# What is checked out in a directory, and what its remote has for a branch or tag (empty: HEAD).
spinstack_checkout() {
    local dir=$1 ref=$2
    if [ ! -e "$dir/.git" ]; then
        [ -d "$dir" ] && [ -z "$(ls -A -- "$dir")" ] && printf 'empty\t\n'
        return 0
    fi
    printf 'head\t%s\n' "$(git -C "$dir" rev-parse HEAD)"
    printf 'origin\t%s\n' "$(git -C "$dir" remote get-url origin)"
    printf 'changed\t%s\n' "$(git -C "$dir" status --porcelain --untracked-files=no | wc -l)"
    printf 'ahead\t%s\n' "$(git -C "$dir" rev-list --count HEAD --not --remotes --tags)"
    if [ -n "$ref" ]; then
        printf 'known\t%s\n' "$(git -C "$dir" rev-parse --quiet --verify "$ref^{commit}")"
        set -- "refs/heads/$ref" "refs/tags/$ref" "refs/tags/$ref^{}"
    else
        set -- HEAD
    fi
    timeout 60 git -C "$dir" ls-remote origin "$@" || printf 'silent\t%s\n' "$?"
}
