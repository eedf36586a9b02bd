# Builds serin-cut without sanitizers, which would take four times as long. Sourced, never run.

# The parts that its libraries need to be configured.
plain_parts=(core device proto host adapters orchestrator gateway sim cli tests)

# plain_build SOURCE BUILD: the program is then BUILD/bin/serin-cut. What went wrong is printed.
plain_build() {
    local source=$1 build=$2 launcher=()
    # Copies of the sources that lie alike beside their builds share what a cache has of them.
    export CCACHE_BASEDIR CCACHE_NOHASHDIR=1
    CCACHE_BASEDIR=$(dirname "$(cd "$source" && pwd)")
    command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
    mkdir -p "$build"
    {
        cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "${launcher[@]}" \
            "-DSERIN_PARTS=$(IFS=';' && printf '%s' "${plain_parts[*]}")" && cmake --build "$build" --target serin-cut
    } >"$build/plain.log" 2>&1 || {
        tail -20 "$build/plain.log"
        return 1
    }
}
