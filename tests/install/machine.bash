# shellcheck shell=bash
# A fresh Debian 12 that boots systemd in a container, for tests of the package. It has no network
# but a loopback of its own: nothing that runs on this machine is in its way. What is installed in
# it was downloaded before. Sourced after scripts/lib.bash; needs root.

# What cannot be done on this machine is no failure of the package.
cannot() {
    say "tests/install: not tried: $*"
    exit 77
}

# Makes the root folder once, if its name ends in debian12 or debian13: what Debian's installer
# leaves, less the kernel. libbpf is for the protections that systemd has with it.
debian_root() { # FOLDER
    [[ -x $1/lib/systemd/systemd ]] && return
    local number=${1##*debian} suite
    case $number in
        12) suite=bookworm ;;
        13) suite=trixie ;;
        *) cannot "$1 holds no Debian with systemd." ;;
    esac
    say "Making a Debian $number in ${1#"$PWD"/}, once: two minutes, 400 MB."
    rm -rf -- "$1.part"
    # shellcheck disable=SC2016  # mmdebstrap expands them.
    local download='APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -qq --yes --download-only
        -o APT::Install-Recommends=true -o Dir::Cache::archives="$1/var/cache/apt/archives"
        install postgresql'
    mmdebstrap --quiet --variant=minbase --skip=cleanup/apt \
        --include=systemd,systemd-sysv,dbus,libpam-systemd,libbpf1,ca-certificates,less,procps \
        --customize-hook="${download//$'\n'/ }" \
        "$suite" "$1.part" >&2 || cannot "mmdebstrap could not make a Debian $number here."
    mv -- "$1.part" "$1"
}

machine_folder=''
machine=''
leader=''
groups=()

# Boots a throw-away copy of a root folder. With V1 the container has the control groups of cgroup
# v1, and may use those for memory and tasks.
boot() { # ROOT [OPTION OF SYSTEMD-NSPAWN]... [V1]
    local unified=1 options=("${@:2}") init=(--boot)
    if [[ ${!#} == V1 ]]; then
        unified=0
        unset 'options[-1]'
        # shellcheck disable=SC2016  # For the shell in the container.
        init=(/bin/sh -c 'for group in memory pids; do
                mount -o remount,rw,bind "/sys/fs/cgroup/$group"
            done
            exec /lib/systemd/systemd')
    fi
    machine_folder=$(mktemp -d /var/tmp/seatledger-machine.XXXXXX)
    mkdir "$machine_folder/layers"
    # In memory, so that nothing is left after a crash of this machine, and no disk is waited for.
    mount -t tmpfs -o size=3g,mode=755 seatledger "$machine_folder/layers" ||
        cannot "no tmpfs can be mounted."
    mkdir "$machine_folder/layers"/{upper,work,root}
    machine_root=$machine_folder/layers/root
    mount -t overlay seatledger "$machine_root" -o \
        "lowerdir=$1,upperdir=$machine_folder/layers/upper,workdir=$machine_folder/layers/work" ||
        cannot "no overlay can be mounted."
    : >"$machine_root/etc/machine-id"
    # As the installer writes them.
    echo debian >"$machine_root/etc/hostname"
    printf '127.0.0.1\tlocalhost\n127.0.1.1\tdebian\n' >"$machine_root/etc/hosts"
    local parent name=seatledger-$$
    # A control group of its own: where systemd is not the host's PID 1, the container needs one.
    while read -r parent; do
        mkdir "$parent/$name" 2>/dev/null && groups+=("$parent/$name")
    done < <(awk '$3 == "cgroup2" || $3 == "cgroup" && $4 ~ /name=systemd|memory|pids/ {
            print $2
        }' /proc/self/mounts)
    (
        for parent in ${groups[@]+"${groups[@]}"}; do echo "$BASHPID" >"$parent/cgroup.procs"; done
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=$unified exec setsid systemd-nspawn --quiet \
            --directory="$machine_root" --register=no --keep-unit --console=pipe \
            --machine="$name" --link-journal=no --timezone=off --kill-signal=SIGRTMIN+3 \
            --private-network --resolv-conf=off "${options[@]}" "${init[@]}" \
            </dev/null >"$machine_folder/console" 2>&1
    ) &
    machine=$!
    local deadline=$((SECONDS + 60)) child state=
    until [[ -n $leader ]]; do
        # The child that is PID 1 of its own namespace and has become systemd.
        for child in $(ps --ppid "$machine" -o pid=); do
            if [[ $(awk '/^NSpid/ { print $NF }' "/proc/$child/status" 2>/dev/null) == 1 &&
                $(cat "/proc/$child/comm" 2>/dev/null) == systemd ]]; then leader=$child; fi
        done
        if ((SECONDS >= deadline)) || ! kill -0 "$machine" 2>/dev/null; then
            cannot "systemd does not boot in a container: $(tail -n 3 "$machine_folder/console")"
        fi
        sleep 0.1
    done
    until [[ $state == running || $state == degraded ]]; do
        ((SECONDS < deadline)) || cannot "systemd did not come up: $state"
        sleep 0.2
        state=$(inside systemctl is-system-running 2>/dev/null) || true
    done
}

# Runs a command in the container, with the environment of a login.
inside() {
    nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup -- env -i HOME=/root \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        TERM=dumb SYSTEMD_PAGER= DEBIAN_FRONTEND=noninteractive "$@"
}

# Ends the container and deletes its copy.
shut_down() {
    local group
    if [[ -n $machine ]] && kill -0 "$machine" 2>/dev/null; then
        local began
        began=$(started_at "$machine") || true
        kill -TERM "$machine" 2>/dev/null || true
        wait_until_gone 30 "$machine" "$began" || kill -KILL "$machine" 2>/dev/null || true
    fi
    wait 2>/dev/null || true
    for group in ${groups[@]+"${groups[@]}"}; do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
    if [[ -n $machine_folder ]]; then
        umount -l "$machine_folder/layers/root" "$machine_folder/layers" 2>/dev/null || true
        rm -rf --one-file-system -- "$machine_folder"
    fi
    machine_folder='' machine='' leader='' groups=()
}
