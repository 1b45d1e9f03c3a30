import { definePlugin, type Plugin } from '@rpal/bus';
import type { Hypervisor } from '@rpal/hw-x86';
import { type Call, currentThread, KernelStep, type Program, type Thread } from '@rpal/kernel';
import type { MmStruct } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import manifest from '../../package.json' with { type: 'json' };
import { DuneStep } from '../steps.js';
import { GuestMemory } from './guest-memory.js';
import { Vcpu } from './vcpu.js';

/** Number of the call that enters Dune mode, beyond those of Linux 6.15. Dune itself has an ioctl of a device. @public for programs that make the call */
export const DUNE_ENTER = 1210;

const vcpus = new WeakMap<Thread, Vcpu>();

/** The thread's guest, if it is in Dune mode. */
export function vcpuOf(thread: Thread): Vcpu | undefined {
  return vcpus.get(thread);
}

/** Dune's kernel module: threads that ask for it go on as guests in ring 0, and nothing else of the machine changes. */
export const dune: () => Plugin = definePlugin({
  name: '@rpal/dune',
  version: manifest.version,
  requires: { '@rpal/kernel': '^0.3.0' },
  setup({ plugin, syscalls, hooks, machine }) {
    const { kernel, platform } = machine;
    const memories = new Map<MmStruct, GuestMemory>();
    const hypervisor: Hypervisor = {
      violation(cpu, view) {
        cpu.charge(DuneStep.run);
        return memories.get(currentThread(kernel.scheduler, cpu).memory)?.serve(cpu, view) ?? false;
      },
    };
    syscalls.define(
      DUNE_ENTER,
      (cpu, thread, { a0: root }) => {
        cpu.charge(KernelStep.ioctl);
        if (platform.profile.vendor !== 'intel') return -Errno.EOPNOTSUPP;
        if (thread.guest !== null || thread.entryWatched) return -Errno.EBUSY;
        const mm = thread.memory;
        const memory = memories.get(mm) ?? new GuestMemory(mm, platform.cpus);
        const physical = memory.physical.guestOf(root);
        if (physical < 0 || physical % 4096 !== 0) return -Errno.EINVAL;
        memories.set(mm, memory);
        cpu.charge(DuneStep.create);
        const vcpu = new Vcpu(memory, physical / 4096, kernel.entry, hypervisor);
        vcpus.set(thread, vcpu);
        thread.entryWatched = true;
        thread.guest = vcpu;
        return 0;
      },
      { name: 'dune_enter', plugin, signature: 'root*' },
    );
    hooks.mmFlush.tap(plugin, ({ mm, start, end }) => memories.get(mm)?.invalidate(start, end));
    // A new image, and a thread that ends, are Linux's again.
    hooks.kernelMemoryRelease.tap(plugin, (_cpu, thread) => {
      if (!vcpus.delete(thread)) return;
      thread.guest = null;
      thread.entryWatched = false;
    });
    hooks.mmExit.tap(plugin, (mm) => {
      memories.get(mm)?.free();
      memories.delete(mm);
    });
  },
});

/** Enters Dune mode with page tables whose top-level table is at `root`. @returns 0, or -EINVAL, -EBUSY, -EOPNOTSUPP without VMX */
export function duneEnter(p: Program, root: number): Call {
  return p.syscall(DUNE_ENTER, root);
}

/** VMCALL, whatever the ring: Linux executes the call for ring 0; for ring 3 the instruction is invalid. @public for programs that try */
export function* vmcall(p: Program, nr: number, a0 = 0, a1 = 0, a2 = 0): Generator<void, number> {
  const vcpu = vcpuOf(p.context.thread);
  if (vcpu !== undefined && vcpu.ring !== 0) vcpu.vmcallNext = true;
  return yield* p.syscall(nr, a0, a1, a2);
}
