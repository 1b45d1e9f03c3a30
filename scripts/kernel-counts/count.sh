#!/bin/bash
# count.sh KERNEL-IMAGE FOLDER [GROUP...]: counts the groups of operations.c on that kernel, one boot for each, and leaves GROUP.tsv in FOLDER.
set -e
K=$(realpath "$1") D=$2
shift 2
O=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$D/root" && cd "$D"
gcc -O2 -Wall -shared -fPIC -o trace.so "$O/trace.c"
g++ -O2 -Wall -o analyze "$O/analyze.cc"
gcc -O1 -w -static -pthread -o root/init "$O/operations.c"
(cd root && find . | cpio -o -H newc --quiet | gzip -5) >initramfs.gz
boot() { # output, arguments of the program, arguments of qemu
	local p=$1 a=$2
	shift 2
	nice -n 10 qemu-system-x86_64 -accel tcg -cpu max,cx16=off -m 512 -smp 1 -nographic -no-reboot -nic none -kernel "$K" -initrd initramfs.gz \
		-append "console=ttyS0 panic=-1 quiet nokaslr norandmaps noreplace-smp mitigations=off -- $a" "$@" </dev/null 2>"$p.err" | tr -d '\r' >"$p.out"
}
if [ ! -s kernel.syms ]; then
	boot syms syms
	grep -aP '^[0-9a-f]{16} ' syms.out >kernel.syms
fi
[ $# -gt 0 ] || set -- transfer trips vm memory shapes sched process sysv files signals calls
for g; do
	boot "$g" "$g" -icount shift=0,sleep=off -rtc clock=vm,base=2026-01-01 -plugin "./trace.so,out=$g"
	if grep -a '^BAD' "$g.out"; then
		echo "count.sh: an operation of $g was not what its name says" >&2
		exit 1
	fi
	./analyze kernel.syms "$g.tab" "$g.0.trace" "$g.out" >"$g.tsv"
	rm -f "$g.0.trace" "$g.tab"
done
