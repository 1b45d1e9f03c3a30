import { BusError, definePlugin, type Plugin } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import { EntryKind, SyscallNumber } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
import manifest from '../package.json' with { type: 'json' };
import { PkuOn, RPAL_PROC_FILE, RpalFlag } from './abi/constants.js';
import { ProcRpal } from './calls/proc-rpal.js';
import { copiedEntries, RPAL_IGNORE } from './memory/copied-entries.js';
import { inflateBalloon, sliceLayout } from './memory/partition.js';
import { defaultPkruOf } from './memory/pkey.js';
import { protectionKeys } from './memory/protection-keys.js';
import { unmapUnderMutex } from './memory/shared-pages.js';
import { widenFlush } from './memory/tlb-union.js';
import { type RpalOptions, rpalOptions } from './options.js';
import { exitMemory, isRpalImage, joinService, LeavingThread, leaveService, registerService } from './process/lifecycle.js';
import { quirkNames } from './quirks.js';
import { redirectFault } from './recovery/fault.js';
import { Rpal, serviceOfMm } from './rpal.js';
import { RpalSeams } from './seams.js';
import type { RpalService } from './services/service.js';
import { RpalThread, rpalTask } from './services/thread.js';
import { startEpollWait, takesEpollWait } from './switch/epoll.js';
import { KernelReturnPath } from './switch/kernel-return.js';
import { onKernelEntry } from './switch/lazy-switch.js';
import { collectClaim, correctDelta } from './switch/time-slice.js';
import { blockFailed, mayWake, switchedOut } from './threads/states.js';
import { isFair } from './threads/threads.js';

/** The `Rpal` of each machine that has the plugin, for tools that look inside. */
const installed = new WeakMap<object, Rpal>();

/** RPAL's state on a machine, a kernel or a table of contexts, built with the plugin. @throws BusError MISSING_REQUIREMENT without it */
export function rpalOf(machine: object): Rpal {
  const rpal = installed.get(machine);
  if (rpal === undefined)
    throw new BusError('MISSING_REQUIREMENT', 'this machine was built without @rpal/rpal-core; add rpal() to its plugins');
  return rpal;
}

/** As `rpalOf`, but null on a machine without the plugin. */
export function findRpal(machine: object): Rpal | null {
  return installed.get(machine) ?? null;
}

/** RPAL as a plugin: what the 35 patches change in Linux, changed through the seams that every plugin has. */
export const rpal: (options?: RpalOptions) => Plugin = definePlugin<Required<RpalOptions>, RpalOptions>({
  name: '@rpal/rpal-core',
  version: manifest.version,
  requires: { '@rpal/kernel': '^0.3.0' },
  options: rpalOptions,
  setup({ plugin, bus, hooks, machine }, { repair, without }) {
    const { kernel, platform } = machine;
    const { scheduler } = kernel;
    const { features } = platform.profile;
    if (!features.fsgsbase) {
      const lacking = 'user-mode FS base access (FSGSBASE)';
      throw new BusError('SETUP_FAILED', `RPAL needs ${lacking}, which ${platform.profile.name} does not have; choose another profile`);
    }
    const seams = new RpalSeams(platform.profile, { isolation: protectionKeys, sharing: copiedEntries });
    bus.declare(seams);
    const state = new Rpal(kernel, seams, new Set(repair === 'all' ? quirkNames : repair), new Set(without));
    state.returnPath = new KernelReturnPath(state);
    installed.set(machine, state);
    installed.set(kernel, state);
    installed.set(kernel.contexts, state);
    kernel.memory.hideTopEntries(RPAL_IGNORE);
    if (state.quirk('lock-order-inverted')) kernel.syscalls.extend(SyscallNumber.munmap, unmapUnderMutex(state), { plugin });
    kernel.specialFiles.define(RPAL_PROC_FILE, (_cpu, _thread, flags) => new ProcRpal(state, flags));

    for (const { idle } of kernel.scheduler.runQueues) idle.rpal = new RpalThread();
    hooks.schedTaskNew.tap(plugin, (task, parent) => {
      task.rpal = new RpalThread();
      if (parent !== null) state.between(task.cpu, 'copy_process: registers copied, not on the list of threads yet');
    });
    hooks.kernelExec.tap(plugin, (cpu, thread, image) => {
      // exec in a service: the old one ends as if its last thread had exited.
      const task = rpalTask(thread);
      if (task.rpal.service !== null) leaveService(state, cpu, task, LeavingThread.LAST);
      if (isRpalImage(image)) registerService(state, cpu, task, image);
    });
    hooks.mmLayout.tap(plugin, (layout, mm) => {
      const service = serviceOfMm(mm);
      return service === null ? layout : sliceLayout(layout, service, platform.rng);
    });
    hooks.kernelExecMap.tap(plugin, (cpu, thread) => {
      const { service } = rpalTask(thread).rpal;
      return service === null ? undefined : inflateBalloon(state, cpu, service);
    });
    hooks.kernelClone.tap(plugin, (cpu, thread, child) => {
      const parent = rpalTask(thread);
      joinService(parent, rpalTask(child));
      // The copy of PKRU taken before the child was on the task list may be out of date (patch 30), and a parent tied to a CPU must not
      // pass that on (patch 23): as written the child inherits the count of one allowed CPU.
      if (parent.rpal.service !== null && state.fixes(30)) child.pkru = cpu.mmu.pkru;
      const old = parent.rpal.data?.oldAffinity ?? null;
      if ((parent.rpal.flags & RpalFlag.CPU_LOCKED) !== 0 && old !== null) {
        child.affinity = old;
        if (!state.quirk('fork-keeps-cpu-count')) child.affinitySize = old.size;
      }
    });
    hooks.kernelThreadExit.tap(plugin, (cpu, thread, last) => leaveService(state, cpu, rpalTask(thread), last));
    // The series hooks the entries through the IDT and SYSCALL; those of FRED and of 32-bit system calls are separate code.
    if (!features.fred || !state.quirk('fred-entries-unhooked')) {
      const everyKind = !state.quirk('compat-entries-unhooked');
      hooks.kernelEntry.tap(plugin, (cpu, thread, kind) => {
        if (everyKind || kind !== EntryKind.COMPAT) onKernelEntry(state, cpu, rpalTask(thread));
      });
    }
    hooks.kernelDefaultPkru.tap(plugin, (pkru, thread) => defaultPkruOf(rpalTask(thread).rpal.service, pkru, state.fixes(29)));

    hooks.mmExit.tap(plugin, (mm) => exitMemory(state, platform.running as Cpu, mm));
    hooks.mmFault.tap(plugin, (cpu, mm, address, code) => redirectFault(state, cpu, mm, address, code));
    hooks.mmFlush.tap(plugin, (targets) => widenFlush(state, targets));
    // The caller's service, which the child of a vfork does not have, though it has the memory of one.
    const callersService = (): RpalService | null => rpalTask(scheduler.current(platform.running as Cpu)).rpal.service;
    hooks.mmNewKey.tap(plugin, (key, mm) => {
      const service = callersService();
      if (service === null || service.mm !== mm || service.pkuOn === PkuOn.FALSE) return key;
      return service.pkuOn === PkuOn.FINISH || !state.fixes(29) ? service.pkey : key;
    });
    hooks.mmKeyChange.tap(plugin, (_mm, key) => {
      const service = callersService();
      if (service === null || service.pkuOn === PkuOn.FALSE) return undefined;
      state.warn(platform.running as Cpu, `service ${service.id} may not put pages under key ${key}`);
      return -Errno.EINVAL;
    });
    hooks.mmKeyFree.tap(plugin, (_mm, key) => {
      const service = callersService();
      if (service === null) return undefined;
      state.warn(platform.running as Cpu, `service ${service.id} may not free key ${key}`);
      return -Errno.EINVAL;
    });

    hooks.schedWakePermission.tap(plugin, (cpu, task) => {
      const thread = rpalTask(task);
      return (thread.rpal.flags & RpalFlag.RECEIVER) === 0 ? undefined : mayWake(state, cpu, thread);
    });
    hooks.schedSwitch.tap(plugin, (cpu, prev) => {
      const thread = rpalTask(prev);
      if ((thread.rpal.flags & RpalFlag.RECEIVER) !== 0) switchedOut(state, cpu, thread);
    });
    hooks.schedBlockFailed.tap(plugin, (cpu, task) => {
      const thread = rpalTask(task);
      if ((thread.rpal.flags & RpalFlag.RECEIVER) !== 0) blockFailed(state, cpu, thread);
    });
    hooks.schedDelayDequeue.tap(plugin, (task) => ((rpalTask(task).rpal.flags & RpalFlag.RECEIVER) === 0 ? undefined : false));
    hooks.schedAffinity.tap(plugin, (task) => ((rpalTask(task).rpal.flags & RpalFlag.CPU_LOCKED) === 0 ? undefined : false));
    // Only __set_cpus_allowed_ptr waits for the unlock, and not what pushes tasks off a CPU that goes offline.
    if (!state.quirk('offline-unblocked')) {
      hooks.schedVacate.tap(plugin, (task) => ((rpalTask(task).rpal.flags & RpalFlag.CPU_LOCKED) === 0 ? undefined : false));
    }
    hooks.schedPolicy.tap(plugin, (task, policy) => {
      const registered = (rpalTask(task).rpal.flags & (RpalFlag.SENDER | RpalFlag.RECEIVER)) !== 0;
      return registered && !isFair(policy) && !state.quirk('fair-class-unchecked') ? -Errno.EINVAL : undefined;
    });
    hooks.schedEnter.tap(plugin, (cpu, task) => {
      const thread = rpalTask(task);
      if ((thread.rpal.flags & (RpalFlag.SENDER | RpalFlag.RECEIVER)) !== 0) collectClaim(state, cpu, thread);
    });
    const misplaced = state.quirk('time-slice-misplaced');
    hooks.schedTaskClock.tap(plugin, (delta, _rq, task, cpu) => {
      const thread = rpalTask(misplaced ? scheduler.current(cpu) : task);
      return thread.rpal.stealTime === 0 ? delta : correctDelta(delta, thread);
    });

    hooks.epollWait.tap(plugin, (cpu, caller, epoll, timeout) => {
      const thread = rpalTask(caller.task);
      if (!takesEpollWait(cpu, thread)) return undefined;
      return startEpollWait(state, cpu, thread, epoll, timeout);
    });
  },
});
