import { definePlugin, type Plugin } from '@rpal/bus';
import { Program } from '@rpal/kernel';
import manifest from '../package.json' with { type: 'json' };
import { Calls } from './calls.js';
import { defineClockCalls } from './clock/clock-calls.js';
import { defineItimerCalls } from './clock/itimer-calls.js';
import { definePosixTimers } from './clock/posix-timers.js';
import { defineSleepCalls } from './clock/sleep-call.js';
import { defineEpollCalls } from './files/epoll-calls.js';
import { defineFileIoctls } from './files/file-ioctl.js';
import { defineMessageSeries } from './files/message-series.js';
import { defineOlderCalls } from './files/older-calls.js';
import { defineOwners } from './files/owners.js';
import { defineSelect } from './files/select-call.js';
import { defineSocketCalls } from './files/socket-calls.js';
import { defineCapabilityCalls } from './identity/capabilities.js';
import { defineGroupCalls } from './identity/group-calls.js';
import { defineIdCalls } from './identity/id-calls.js';
import { TraitTable } from './identity/traits.js';
import { defineMessageQueueCalls } from './ipc/message-queues.js';
import { defineMessageCalls } from './ipc/messages.js';
import { defineSemaphoreCalls } from './ipc/semaphores.js';
import { defineSharedMemoryCalls } from './ipc/shared-memory.js';
import { defineSpliceCalls } from './ipc/splice-calls.js';
import { defineMemoryCalls } from './memory/memory-calls.js';
import { defineProcessVmCalls } from './memory/process-vm.js';
import { defineSealedMemory } from './memory/sealed-memory.js';
import { defineClone } from './process/clone.js';
import { defineFutexCalls } from './process/futex-calls.js';
import { defineFutexVectors } from './process/futex-vectors.js';
import { definePidfdCalls } from './process/pidfd.js';
import { definePrctl } from './process/prctl.js';
import { defineProcessCalls } from './process/process-calls.js';
import { defineRseq } from './process/rseq.js';
import { defineLifeCalls, ThreadLife } from './process/thread-life.js';
import { VforkCalls } from './process/vfork.js';
import { defineWaitid } from './process/waitid.js';
import { MessageQueueCalls } from './program/message-queue-calls.js';
import { PidfdCalls } from './program/pidfd-calls.js';
import { ProcessVmCalls } from './program/process-vm-calls.js';
import { RemapCalls } from './program/remap-calls.js';
import { SharedMemoryCalls } from './program/shared-memory-calls.js';
import { SpliceCalls } from './program/splice-calls.js';
import { defineSchedAttributes } from './sched/attributes.js';
import { defineMembarrier } from './sched/membarrier.js';
import { AlternateStacks, defineAlternateStacks } from './signals/alternate-stack.js';
import { defineThreadSignals } from './signals/thread-signals.js';
import { UserFrames } from './signals/user-frames.js';
import { defineCpuFiles } from './system/cpu-files.js';
import { defineSchedulingCalls } from './system/scheduling-calls.js';
import { defineSystemCalls } from './system/system-calls.js';

/** The calls of Linux that a machine can do without. */
export const posix: () => Plugin = definePlugin({
  name: '@rpal/posix',
  version: manifest.version,
  requires: { '@rpal/kernel': '^0.3.0' },
  setup({ plugin, slots, machine }) {
    for (const family of [MessageQueueCalls, SharedMemoryCalls, RemapCalls, SpliceCalls, PidfdCalls, ProcessVmCalls, VforkCalls])
      Program.add(family);
    const calls = new Calls(machine.kernel, plugin);
    defineClockCalls(calls);
    defineSleepCalls(calls);
    defineItimerCalls(calls);
    definePosixTimers(calls);
    const traits = new TraitTable();
    const life = new ThreadLife(machine.kernel);
    defineSystemCalls(calls, traits);
    defineIdCalls(calls, traits);
    defineCapabilityCalls(calls);
    defineGroupCalls(calls);
    defineProcessCalls(calls);
    defineWaitid(calls);
    defineClone(calls, life);
    defineFutexCalls(calls);
    defineFutexVectors(calls);
    defineThreadSignals(calls);
    defineEpollCalls(calls);
    defineSocketCalls(calls);
    defineMessageSeries(calls);
    defineSelect(calls);
    defineOlderCalls(calls);
    defineMemoryCalls(calls);
    defineSealedMemory(calls);
    defineFileIoctls(calls);
    defineOwners(calls);
    defineSchedAttributes(calls);
    defineMembarrier(calls);
    defineSemaphoreCalls(calls);
    defineMessageCalls(calls);
    const stacks = new AlternateStacks();
    defineAlternateStacks(calls, stacks);
    slots.signalFrames.provide(plugin, new UserFrames(machine.kernel, stacks));
    definePrctl(calls, traits, life);
    defineLifeCalls(calls, life, traits);
    defineRseq(calls);
    defineMessageQueueCalls(calls);
    defineSharedMemoryCalls(calls);
    defineSpliceCalls(calls);
    definePidfdCalls(calls, traits);
    defineProcessVmCalls(calls, traits);
    defineSchedulingCalls(calls);
    defineCpuFiles(machine.kernel);
  },
});

declare module '@rpal/kernel' {
  interface Program extends MessageQueueCalls, SharedMemoryCalls, RemapCalls, SpliceCalls, PidfdCalls, ProcessVmCalls, VforkCalls {}
}
