# Shared by the scripts: where things are, what must be installed, and how to say it.
# Sourced, never run.

SERIN_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Wrong use of the script: exit status 2, as of the programs.
misuse() {
    printf '%s: %s (try --help)\n' "$(basename "$0")" "$*" >&2
    exit 2
}

# amount OPTION VALUE: a number above 0 stands behind the option; said before anything is built.
amount() {
    [[ $2 =~ ^[0-9]+([.][0-9]+)?$ && $2 =~ [1-9] ]] || misuse "$1 takes a number above 0, not '$2'"
}

# Installs what scripts/packages.txt names and this machine lacks. Asks nothing.
serin_install() {
    local wanted missing=() package as_root=()
    wanted=$(sed -e 's/#.*//' "$SERIN_ROOT/scripts/packages.txt")
    for package in $wanted; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    command -v apt-get >/dev/null ||
        die "needs these Debian packages, and there is no apt-get: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "run as root once, to install: ${missing[*]}"
        as_root=(sudo)
    fi
    step "Installing ${#missing[@]} Debian packages"
    "${as_root[@]}" apt-get update -q >/dev/null || die "apt-get update failed"
    # A broker that the package starts on its own is not wanted: the scripts start theirs on free ports.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -q -y --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt-get could not install: ${missing[*]}"
}

# serin_build PRESET [TARGET…] configures and builds a preset.
serin_build() {
    local preset=$1
    shift
    step "Building (preset $preset)"
    (cd "$SERIN_ROOT" && cmake --preset "$preset" >/dev/null &&
        cmake --build --preset "$preset" ${1:+--target} "$@") || die "the build failed"
}
