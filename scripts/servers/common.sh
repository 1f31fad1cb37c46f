# What all servers have in common: processes, ports, waiting, and the tools that install them. Sourced by scripts/services.

say() { echo "services: $*" >&2; }
die() { say "$@"; exit 1; }

# The process of a server's folder lives and is the one that was started (not another one with its number).
is_running() {
    local pid started
    [ -f "$1/pid" ] || return 1
    read -r pid started < "$1/pid"
    [ "$(started_at "$pid")" = "$started" ]
}

# When a process began, in clock ticks since boot; nothing if there is none (or only a zombie).
started_at() { awk '{ sub(/.*\) /, ""); if ($1 != "Z") print $20 }' "/proc/$1/stat" 2>/dev/null || true; }

# launch DIR CMD…: in the background, in a session of its own, its output in DIR/log.
launch() {
    local dir=$1
    shift
    touch "$dir/log"
    stat -c %s "$dir/log" > "$dir/log.before"
    setsid "$@" >> "$dir/log" 2>&1 < /dev/null &
    local pid=$!
    echo "$pid $(started_at "$pid")" > "$dir/pid"
}

log_of_this_start() { tail -c +$(($(cat "$1/log.before") + 1)) "$1/log"; }

end_process() {
    local dir=$1 signal=$2 pid
    if is_running "$dir"; then
        read -r pid _ < "$dir/pid"
        kill -"$signal" "$pid" 2>/dev/null || true
        for _ in $(seq 100); do
            is_running "$dir" || break
            sleep 0.1
        done
        is_running "$dir" && kill -KILL "$pid" 2>/dev/null
        while is_running "$dir"; do sleep 0.1; done
    fi
    rm -f "$dir/pid"
}

wait_until_ready() {
    local name=$1 dir=$2
    for _ in $(seq 600); do
        is_running "$dir" || { tail -n 30 "$dir/log" >&2; die "$name ended; its log is $dir/log"; }
        "ready_$name" "$dir" && return 0
        sleep 0.2
    done
    tail -n 30 "$dir/log" >&2
    die "$name doesn't answer after two minutes; its log is $dir/log"
}

# A port that nobody listens on, below those that outgoing connections get. Kept in DIR/NAME.port, so that a restart has it again.
port() {
    local file="$1/$2.port" port
    if [ ! -f "$file" ]; then
        while :; do
            port=$((12000 + (RANDOM * 32768 + RANDOM) % 18000))
            listens "$port" || ! grep -qsx "$port" "$1"/*.port || continue
            listens "$port" && continue
            echo "$port" > "$file"
            break
        done
    fi
    cat "$file"
}

listens() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# need COMMAND PACKAGE: installs Debian's package if the command isn't there.
need() {
    command -v "$1" >/dev/null && return 0
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        say "installing $2"
        apt-get update -q >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$2" >&2
    else
        die "$1 is missing: install the package $2"
    fi
}

need_java() {
    need mvn maven
    local version
    version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 17 ] && command -v javac >/dev/null && return 0
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        say "installing a JDK"
        apt-get update -q >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends default-jdk-headless >&2
    else
        die "a JDK of version 17 or newer is missing: install the package default-jdk-headless"
    fi
}

# jars POM FOLDER: everything that POM depends on, once.
jars() {
    [ -d "$2" ] && return 0
    need_java
    say "fetching $(basename "$2")"
    rm -rf "$2.new"
    mvn -B -q -f "$1" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$2.new" >&2
    mv "$2.new" "$2"
}
