import { Bus, type Plugin, PluginHost, type SeamDescription, TapError } from '@rpal/bus';
import { type CpuProfile, Fingerprint, Platform, type PlatformOptions, profiles } from '@rpal/hw-x86';
import { WaitQueue } from '@rpal/sched';
import { FdTable } from '@rpal/vfs';
import { Kernel, type KernelOptions } from './entry/kernel.js';
import type { SyscallTable } from './entry/syscall-table.js';
import { MachineError, ProcessDeathError } from './errors.js';
import { type Death, deathText } from './process/death.js';
import { ExecPath } from './process/exec.js';
import type { Image } from './process/image.js';
import { Process } from './process/process.js';
import { Thread } from './process/thread.js';

/** How to build a machine. */
export interface MachineOptions extends Omit<PlatformOptions, 'profile'>, KernelOptions {
  /** The CPUs; by default the RFC's two-socket Xeon Platinum 8336C. */
  readonly profile?: CpuProfile;
  readonly plugins?: readonly Plugin[];
}

/** How far to run, and what to do about deaths. */
export interface RunOptions {
  /** TSC cycles of machine time at which to come back, if processes have not ended before. */
  readonly until?: number;
  /** A process that dies of a signal without another that is told: `throw` (by default), or only list it in `deaths`. */
  readonly deaths?: 'throw' | 'report';
}

declare module '@rpal/bus' {
  interface PluginContext {
    readonly machine: Machine;
    /** The machine's system calls, to which a plugin may add calls of its own. */
    readonly syscalls: SyscallTable;
  }
}

/** A modelled computer running a modelled Linux, with plugins. */
export class Machine {
  readonly platform: Platform;
  readonly kernel: Kernel;
  readonly bus: Bus = new Bus();
  readonly #host: PluginHost;
  /** What ended a run. */
  #failure: unknown = null;

  constructor(options: MachineOptions = {}) {
    this.platform = new Platform({ ...options, profile: options.profile ?? (profiles[0] as CpuProfile) });
    this.kernel = new Kernel(this.platform, options);
    const { memory, scheduler, epollSeams, seams } = this.kernel;
    for (const part of [memory.seams, scheduler.seams, epollSeams, seams]) this.bus.declare(part);
    this.#host = new PluginHost(this.bus);
    this.#host.setup(options.plugins ?? [], { machine: this, syscalls: this.kernel.syscalls });
    this.bus.seal();
    this.kernel.syscalls.seal();
  }

  /** Names of the plugins, in the order in which they were set up. */
  get plugins(): readonly string[] {
    return this.#host.plugins.map(({ definition }) => definition.name);
  }

  /** What is plugged in where. */
  describe(): readonly SeamDescription[] {
    return this.bus.describe();
  }

  /** Starts a program. @param cpu where its first thread begins; it may move unless the program pins itself */
  spawn(image: Image, cpu = 0): Process {
    const on = this.platform.cpus[cpu];
    if (on === undefined) {
      throw new MachineError(
        'NO_SUCH_CPU',
        `cpu: ${cpu} is not one of the ${this.platform.cpus.length} CPUs of ${this.platform.profile.name}`,
      );
    }
    const { kernel } = this;
    const pid = kernel.scheduler.nextPid();
    const process = new Process(kernel, pid, image.name, kernel.memory.create(on), new FdTable(), new WaitQueue('children'), null);
    const thread = new Thread(pid, process, on, kernel.scheduler.hotplug.active, new ExecPath(kernel, image));
    process.threads.push(thread);
    kernel.processes.set(pid, process);
    kernel.alive++;
    kernel.scheduler.adopt(thread, null);
    kernel.scheduler.wakeUpNew(on, thread);
    if (on.halted) on.wake(Math.max(on.clock, this.platform.now));
    return process;
  }

  /**
   * Processes that have died of a signal, in the order in which that came to light: those that the host spawned, and children
   * whose parent has ended, or ignores SIGCHLD, without having waited for them.
   */
  get deaths(): readonly Death[] {
    return this.kernel.deaths.unheard;
  }

  /**
   * Runs until all processes have ended.
   * @param options a number is short for `{ until }`
   * @throws ProcessDeathError PROCESS_DIED as soon as one of `deaths` comes to light, unless they are only to be reported;
   *   the others have not ended then, and `run` goes on with them.
   *   MachineError DEADLOCK if nothing can happen any more while processes are waiting; PLUGIN_FAILED if a tap threw,
   *   with where and when; STOPPED after a run that ended in any error. Programs' own errors come through as they are.
   */
  run(options: number | RunOptions = {}): 'ended' | 'until' {
    this.#requireIntact();
    const { until, deaths = 'throw' } = typeof options === 'number' ? { until: options } : options;
    const known = this.deaths.length;
    this.kernel.deaths.onUnheard = deaths === 'throw' ? () => this.platform.stop() : () => {};
    const end = this.#runPlatform(until);
    if (deaths === 'throw' && this.deaths.length > known) throw this.#died(this.deaths.slice(known));
    if (end === 'until') return 'until';
    if (end === 'deadlock' && this.kernel.alive > 0) throw this.#deadlock();
    return 'ended';
  }

  #died(deaths: readonly Death[]): ProcessDeathError {
    const { tscPerNs } = this.platform.costs;
    const texts = deaths.map((death) => deathText(death, tscPerNs));
    const remedy = "Mend the program; if it is meant to die, use run({ deaths: 'report' }) and look at the machine's deaths";
    return new ProcessDeathError(deaths, `${texts.join('; ')}. ${remedy}`);
  }

  #runPlatform(until: number | undefined): ReturnType<Platform['run']> {
    try {
      return this.platform.run(until);
    } catch (error) {
      this.#failure = error instanceof TapError ? this.#pluginFailed(error) : error;
      throw this.#failure;
    }
  }

  /**
   * Hash of the final state: the same run gives the same sixteen digits on every computer.
   * @throws MachineError STOPPED if a run ended in an error: the state is that of a step half done
   */
  fingerprint(): string {
    this.#requireIntact();
    const print = new Fingerprint();
    this.platform.fingerprint(print);
    for (const rq of this.kernel.scheduler.runQueues) print.number(rq.switches).number(rq.taskClock);
    return print.digest();
  }

  #requireIntact(): void {
    if (this.#failure === null) return;
    const reason = this.#failure instanceof Error ? this.#failure.message : String(this.#failure);
    throw new MachineError('STOPPED', `this machine was stopped by an error; build another one. It was: ${reason}`, {
      cause: this.#failure,
    });
  }

  /** What a plugin's author needs to find the place: the tap, the moment, and what was running. */
  #pluginFailed(error: TapError): MachineError {
    const cpu = this.platform.running;
    let place = 'outside any CPU';
    if (cpu !== null) {
      const task = this.kernel.scheduler.current(cpu);
      const us = (cpu.clock / cpu.costs.tscPerNs / 1000).toFixed(3);
      place = `on CPU ${cpu.id} at ${cpu.clock} TSC cycles (${us} us), where ${task.name} (thread ${task.pid}, state ${task.state}) ran`;
    }
    return new MachineError('PLUGIN_FAILED', `${error.message}; the machine stopped ${place}. Repair the tap, and build another machine`, {
      cause: error,
    });
  }

  /** Undoes what plugins set up outside the machine. */
  teardown(): void {
    this.#host.teardown();
  }

  #deadlock(): MachineError {
    const waiting = [...this.kernel.processes.values()]
      .flatMap((process) => process.threads)
      .map((thread) => `${thread.name} (thread ${thread.pid}, state ${thread.state})`);
    return new MachineError('DEADLOCK', `nothing can happen any more, but these wait for ever: ${waiting.join(', ')}`);
  }
}

/** Builds a machine: hardware, kernel, plugins; sealed and ready to `spawn` programs. */
export function createMachine(options: MachineOptions = {}): Machine {
  return new Machine(options);
}
