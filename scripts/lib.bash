# shellcheck shell=bash
# What the scripts have in common: messages, and children that end when they should.

script=${0##*/}

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "scripts/$script: $*"
    exit 1
}

build_folder() { realpath -m -- "${CARGO_TARGET_DIR:-$here/../target}"; }

# Where the server programs of a version lie that came in a wheel, not in a package of Debian.
unpacked_postgres() { # VERSION
    printf '%s\n' "$(build_folder)/postgres/$1"
}

# Where promtool lies if it is not in PATH.
unpacked_promtool() { printf '%s\n' "$(build_folder)/promtool/usr/bin/promtool"; }

# Prints when the process began, in clock ticks since boot; fails if it is gone or a zombie. With
# its start time a process id is unmistakable, also after the number has been given out again.
started_at() { # PID
    local stat=''
    local -a field
    # Reading up to a zero byte always ends in "no more", so what was read decides.
    { read -rd '' stat <"/proc/$1/stat"; } 2>/dev/null || [[ -n $stat ]] || return 1
    # The second field is the program's name, and may hold blanks and brackets of its own.
    read -ra field <<<"${stat##*) }"
    [[ ${field[0]} != [ZX] ]] && printf '%s\n' "${field[19]}"
}

is_same_process() { # PID START_TIME
    local now
    now=$(started_at "$1") && [[ $now == "$2" ]]
}

wait_until_gone() { # SECONDS PID START_TIME
    local deadline=$((SECONDS + $1))
    while is_same_process "$2" "$3"; do
        ((SECONDS < deadline)) || return 1
        # Ctrl-C ends the sleep too, and that is no reason to stop waiting.
        sleep 0.02 || true
    done
}

# Starts a command and notes the signals that come from here on. Sets $command and $command_start.
# Descriptor 9 is the one by which others notice the end of a script, so the command must not hold
# it.
start_command() { # COMMAND [ARGUMENT]...
    caught=
    trap 'caught=INT' INT
    trap 'caught=TERM' TERM
    trap 'caught=HUP' HUP
    # In the background, since a shell hears no signal while it waits for a foreground command. It
    # stays in our process group, so that the terminal is its own as well; and it gets back the
    # signals that a shell takes away from what it puts in the background.
    (
        trap - INT QUIT TERM HUP EXIT
        exec "$@" 9>&-
    ) <&0 &
    command=$!
    command_start=$(started_at "$command") || true
}

# Waits for the command, hands signals on to it, and returns its exit code. A command that does not
# heed a signal gets SIGTERM after about 5 seconds and SIGKILL after 10.
finish_command() {
    local status=0 never
    # A pipe that nobody writes to, so that reading it is a sleep without a process of its own.
    exec {never}<> <(:)
    # A plain "wait" is not enough: bash leaves it in a hurry when a signal comes, and then may lose
    # the exit code of a command that ended of the very same signal, and wait for ever.
    while kill -0 "$command" 2>/dev/null && [[ -z $caught ]]; do
        read -rt 0.05 -u "$never" || true
    done
    exec {never}>&-
    if [[ -n $caught ]]; then
        # A terminal sends Ctrl-C to the command as well, and a second one often means "drop
        # everything", so it is not passed on.
        if [[ $caught != INT ]]; then kill -s "$caught" "$command" 2>/dev/null || true; fi
        wait_until_gone 5 "$command" "$command_start" || kill -TERM "$command" 2>/dev/null || true
        wait_until_gone 5 "$command" "$command_start" || kill -KILL "$command" 2>/dev/null || true
    fi
    # A second signal must not disturb this either. The shell would report a kill with a piece of
    # its own source, which helps nobody.
    trap '' INT TERM HUP
    wait "$command" 2>/dev/null || status=$?
    return "$status"
}
