#!/bin/sh
# Records the traces of this directory anew. Needs root, and Debian's strace, busybox-static, sqlite3, lua5.4, dash, redis, memcached, dbus, nodejs, perl and python3.
#   sh apps/bench/test/traces/record.sh
# Traces are reduced: environments are left out, libraries are not; what a program reads from the computer's own files stays.
set -eu
out=$(cd "$(dirname "$0")" && pwd)
work=/tmp/rpal-traces
rm -rf "$work"
mkdir -p "$work"
cd "$work"
trap 'rm -rf "$work"' EXIT

# name, then the command: traced from its first instruction with nothing but a path and a home.
record() {
  name=$1
  shift
  # Descriptors of whoever calls this are not the program's.
  env -i PATH=/usr/bin:/bin HOME="$work" LC_ALL=C \
    python3 -c 'import os, sys; os.closerange(3, 1000); os.execvp(sys.argv[1], sys.argv[1:])' \
    strace -f -X raw -v -s 1000000 -o "$work/.trace" "$@" < /dev/null > /dev/null 2> /dev/null || true
  { echo "# $*" | tr '\n' ' '; echo; echo "# cwd $work"; cat "$work/.trace"; } > "$out/$name.strace"
  rm -f "$work/.trace"
}

cat > pipes.sh <<'END'
echo hello | tr a-z A-Z > out
cat out
ls . | wc -l
X=$(cat out)
echo $X
rm out
sleep 0.01 &
wait
END
record busybox-sh-pipes busybox sh pipes.sh
record dash-pipes dash pipes.sh
rm -f out pipes.sh

record sqlite-journal sqlite3 db "create table t(a,b); insert into t values(1,'x'),(2,'y'); begin; update t set b='z'; commit; select * from t;"
rm -f db

cat > files.lua <<'END'
local f = io.open("x.txt", "w"); f:write("hello\n"); f:close()
for line in io.lines("x.txt") do print(line) end
os.rename("x.txt", "y.txt"); os.remove("y.txt"); print(os.time() > 0)
END
record lua-files lua5.4 files.lua
rm -f files.lua

cat > redis.sh <<'END'
redis-server --port 0 --unixsocket s --save "" --daemonize no --io-threads 1 > /dev/null &
while ! redis-cli -s s ping > /dev/null 2>&1; do sleep 0.1; done
redis-benchmark -s s -n 20 -c 2 -t set,get -q
redis-cli -s s shutdown nosave
wait
END
record redis-benchmark sh redis.sh
rm -f redis.sh s

cat > memcached.sh <<'END'
memcached -u root -s s -t 1 -m 8 &
pid=$!
while ! [ -S s ]; do sleep 0.1; done
perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un("s")) or die;
  for (1 .. 5) { syswrite(S, "set k 0 0 5\r\nhello\r\nget k\r\n"); my $got = ""; sysread(S, $got, 100, length $got) until $got =~ /END/; }
  syswrite(S, "quit\r\n"); sysread(S, my $rest, 10)'
kill $pid
wait
END
record memcached sh memcached.sh
rm -f memcached.sh s

cat > session.conf <<'END'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=/tmp/rpal-traces/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
END
cat > dbus.sh <<'END'
dbus-daemon --config-file=session.conf --nofork --nopidfile &
pid=$!
while ! [ -S bus ]; do sleep 0.1; done
DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/rpal-traces/bus
export DBUS_SESSION_BUS_ADDRESS
for i in 1 2; do dbus-send --session --dest=org.freedesktop.DBus --print-reply / org.freedesktop.DBus.ListNames; done
kill $pid
wait
END
record dbus-clients sh dbus.sh
rm -f dbus.sh session.conf bus

cat > child.js <<'END'
const { spawn } = require('node:child_process');
const child = spawn('cat', [], { stdio: ['pipe', 'pipe', 'inherit'] });
let text = '';
child.stdout.on('data', (part) => { text += part; });
child.on('close', (code) => { console.log(code, text.trim()); });
child.stdin.end('hello from the parent\n');
END
# It looks at the limits of its control group (version 1): those of the first one, whose name is the same everywhere.
if [ -w /sys/fs/cgroup/memory/cgroup.procs ]; then echo $$ > /sys/fs/cgroup/memory/cgroup.procs; fi
record node-child node child.js
rm -f child.js
