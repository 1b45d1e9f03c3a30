import type { Cpu } from '@rpal/hw-x86';
import { type Kernel, type Process, sentBy, type Thread } from '@rpal/kernel';
import { Errno, Signal } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { PosixStep } from '../steps.js';

/** What kill takes for "everybody". */
const EVERYBODY = -1;
/** kill of this group finds no process: the number cannot be negated. */
const NO_GROUP = -0x8000_0000;

/** Process groups and sessions, and signals to groups. */
export function defineGroupCalls(calls: Calls): void {
  const { kernel } = calls;
  const { processes } = kernel;
  const find = (caller: Thread, pid: number): Process | undefined =>
    pid === 0 ? caller.process : (processes.get(pid) ?? processes.thread(pid)?.process);

  calls.define('getpgrp', (cpu, { process }) => {
    cpu.charge(PosixStep.identity);
    return process.group;
  });

  calls.define('getpgid', (cpu, thread, { a0 }) => {
    cpu.charge(PosixStep.identity);
    return find(thread, a0 | 0)?.group ?? -Errno.ESRCH;
  });

  calls.define('getsid', (cpu, thread, { a0 }) => {
    cpu.charge(PosixStep.identity);
    return find(thread, a0 | 0)?.session ?? -Errno.ESRCH;
  });

  calls.define('setsid', (cpu, { process }) => {
    cpu.charge(PosixStep.identity);
    const { pid } = process;
    for (const other of processes) if (other.group === pid) return -Errno.EPERM;
    process.session = process.group = pid;
    return pid;
  });

  calls.define('setpgid', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.setGroup);
    const { process: caller } = thread;
    const pid = a0 | 0 || caller.pid;
    const group = a1 | 0 || pid;
    if (group < 0) return -Errno.EINVAL;
    const target = processes.get(pid);
    if (target === undefined) return processes.thread(pid) === undefined ? -Errno.ESRCH : -Errno.EINVAL;
    if (target.parent === caller) {
      if (target.session !== caller.session) return -Errno.EPERM;
      if (target.execed) return -Errno.EACCES;
    } else if (target !== caller) {
      return -Errno.ESRCH;
    }
    if (target.session === target.pid) return -Errno.EPERM;
    if (group !== pid && ![...processes].some((other) => other.group === group && other.session === caller.session)) return -Errno.EPERM;
    target.group = group;
    return 0;
  });

  calls.extend('kill', (inner) => (cpu, thread, registers) => {
    const pid = registers.a0 | 0;
    const signal = registers.a1 | 0;
    if (pid > 0) return inner(cpu, thread, registers);
    if (pid === NO_GROUP) return -Errno.ESRCH;
    return pid === EVERYBODY
      ? signalEverybody(kernel, cpu, thread, signal)
      : signalGroup(kernel, cpu, thread, pid === 0 ? thread.process.group : -pid, signal);
  });
}

/** @returns 0 if the signal reached one process; else the error of the last one, or -ESRCH for an empty group */
function signalGroup(kernel: Kernel, cpu: Cpu, thread: Thread, group: number, signal: number): number {
  let result: number = -Errno.ESRCH;
  for (const process of [...kernel.processes]) {
    if (process.group !== group) continue;
    const failed = signalOne(kernel, cpu, thread, process, signal);
    if (result !== 0) result = failed;
  }
  return result;
}

/** All but the caller's process and the first one of the machine. */
function signalEverybody(kernel: Kernel, cpu: Cpu, thread: Thread, signal: number): number {
  let result: number = -Errno.ESRCH;
  let found = false;
  for (const process of [...kernel.processes]) {
    if (process.pid === 1 || process === thread.process) continue;
    const failed = signalOne(kernel, cpu, thread, process, signal);
    if (!found) result = 0;
    found = true;
    if (failed < 0 && failed !== -Errno.EPERM) result = failed;
  }
  return result;
}

function signalOne(kernel: Kernel, cpu: Cpu, { process: sender }: Thread, target: Process, signal: number): number {
  if (signal < 0 || signal > Signal.RTMAX) return -Errno.EINVAL;
  if (!sender.maySignal(target, signal)) return -Errno.EPERM;
  if (signal !== 0 && target.exit === null) kernel.signals.sendToProcess(cpu, target, signal, sentBy(sender.credentials));
  return 0;
}
