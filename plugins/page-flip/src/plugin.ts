import { definePlugin, type Plugin } from '@rpal/bus';
import { PAGE_SIZE } from '@rpal/hw-x86';
import type { Call, Process, Program } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
import manifest from '../package.json' with { type: 'json' };
import { privateArea, sendPages, type Window } from './send-pages.js';
import { FlipStep } from './steps.js';

/** Numbers of the calls, beyond those of Linux 6.15. @public for programs that make the calls */
export const PageCall = { page_accept: 1200, page_send: 1201 } as const;

/** Windows that one process may have open. */
const MOST_WINDOWS = 64;

/** Messages that are mapped: a process opens a window for another one, which then sends whole pages into it. */
export const pageFlip: () => Plugin = definePlugin({
  name: '@rpal/page-flip',
  version: manifest.version,
  requires: { '@rpal/kernel': '^0.3.0' },
  setup({ plugin, syscalls, hooks, machine }) {
    const { processes } = machine.kernel;
    const windows = new WeakMap<Process, Window[]>();
    syscalls.define(
      PageCall.page_accept,
      (cpu, thread, { a0: start, a1: length, a2: from }) => {
        cpu.charge(FlipStep.call);
        if (start % PAGE_SIZE !== 0 || !(length > 0) || length % PAGE_SIZE !== 0) return -Errno.EINVAL;
        if (privateArea(thread.memory, start, length) === null) return -Errno.EFAULT;
        if (processes.get(from) === undefined) return -Errno.ESRCH;
        const own = windows.get(thread.process) ?? [];
        if (own.length === MOST_WINDOWS) return -Errno.ENOSPC;
        windows.set(thread.process, [...own, { start, end: start + length, from }]);
        return 0;
      },
      { name: 'page_accept', plugin, signature: 'addr* length pid' },
    );
    syscalls.define(
      PageCall.page_send,
      (cpu, thread, { a0: pid, a1: from, a2: to, a3: length, a4: how }) => {
        const receiver = processes.get(pid);
        if (receiver === undefined || receiver.exit !== null) {
          cpu.charge(FlipStep.call);
          return -Errno.ESRCH;
        }
        return sendPages(cpu, thread, receiver.mm, windows.get(receiver) ?? [], from, to, length, how);
      },
      { name: 'page_send', plugin, signature: 'pid addr* to* length how' },
    );
    // What was promised for the old memory does not hold for a new image, nor for the dead.
    hooks.kernelMemoryRelease.tap(plugin, (_cpu, { process }) => {
      if (process.threads.length <= 1) windows.delete(process);
    });
  },
});

/** Lets process `pid` put pages into this memory. @returns 0 or a negative errno */
export function pageAccept(p: Program, address: number, length: number, pid: number): Call {
  return p.syscall(PageCall.page_accept, address, length, pid);
}

/** Maps pages into a window of process `pid`. @param how one of `PageSend` @returns 0 or a negative errno */
export function pageSend(p: Program, pid: number, from: number, to: number, length: number, how: number): Call {
  return p.syscall(PageCall.page_send, pid, from, to, length, how);
}
