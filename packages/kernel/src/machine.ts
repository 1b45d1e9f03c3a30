import { Bus, version as busVersion, didYouMean, PluginHost, type SeamDescription, shown, TapError } from '@rpal/bus';
import { version as epollVersion } from '@rpal/epoll';
import { Fingerprint, version as hwVersion, Platform } from '@rpal/hw-x86';
import { version as ipcVersion } from '@rpal/ipc';
import { version as mmVersion } from '@rpal/mm';
import { version as schedVersion, WaitQueue } from '@rpal/sched';
import { Rlimit, version as uapiVersion } from '@rpal/uapi';
import { FdTable, version as vfsVersion } from '@rpal/vfs';
import type { SyscallTable } from './dispatch/syscall-table.js';
import { DeadlockError, MachineError, ProcessDeathError } from './errors.js';
import { Kernel } from './kernel.js';
import { ExecPath } from './lifecycle/exec.js';
import { checkedOptions, type MachineOptions } from './machine-options.js';
import { version } from './package-version.js';
import { type Death, deathText } from './process/death.js';
import type { Image } from './process/image.js';
import { timeText } from './process/place.js';
import { Process } from './process/process.js';
import { Thread } from './process/thread.js';
import { waitingOf, waitingText } from './process/waiting.js';
import { requireImage } from './program/require-image.js';

/** The packages that a plugin may require versions of, besides other plugins. */
const packages = {
  '@rpal/bus': busVersion,
  '@rpal/uapi': uapiVersion,
  '@rpal/hw-x86': hwVersion,
  '@rpal/mm': mmVersion,
  '@rpal/sched': schedVersion,
  '@rpal/vfs': vfsVersion,
  '@rpal/ipc': ipcVersion,
  '@rpal/epoll': epollVersion,
  '@rpal/kernel': version,
};

/** How far to run, and what to do about deaths. */
export interface RunOptions {
  /**
   * TSC cycles of machine time at which to come back, if processes have not ended before. Until then nobody waits in vain: the host may
   * yet spawn who wakes them. A run without it says so of a deadlock.
   */
  readonly until?: number;
  /** A process that dies of a signal when no other process is told: `throw` (the default), or only list it in `deaths`. */
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
  /** The reason why a run ended. */
  #failure: unknown = null;
  #running = false;
  #tornDown = false;

  constructor(options: MachineOptions = {}) {
    const checked = checkedOptions(options);
    this.platform = new Platform(checked);
    this.kernel = new Kernel(this.platform, checked);
    const { memory, scheduler, epollSeams, seams } = this.kernel;
    for (const part of [this.platform.seams, memory.seams, scheduler.seams, epollSeams, seams]) this.bus.declare(part);
    this.#host = new PluginHost(this.bus, { packages });
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

  /**
   * Starts a program.
   * @param cpu where its first thread begins; it may move unless the program pins itself
   * @throws MachineError NO_SUCH_CPU; NOT_EXECUTABLE, NOT_A_PROGRAM for what is not an executable; STOPPED, TORN_DOWN
   */
  spawn(image: Image, cpu = 0): Process {
    this.#requireIntact();
    requireImage('spawn', image);
    const on = this.platform.cpus[cpu];
    if (on === undefined) {
      const { cpus, profile } = this.platform;
      throw new MachineError(
        'NO_SUCH_CPU',
        `cpu: ${shown(cpu)} is not one of the ${cpus.length} CPUs of ${profile.name}, 0 to ${cpus.length - 1}`,
      );
    }
    const { kernel } = this;
    const pid = kernel.scheduler.nextPid();
    const process = new Process(
      kernel,
      pid,
      image.name,
      kernel.memory.create(on),
      new FdTable(kernel.firstLimits.of(Rlimit.NOFILE)),
      new WaitQueue('children'),
      null,
    );
    const thread = new Thread(pid, process, on, kernel.scheduler.hotplug.active, new ExecPath(kernel, image));
    kernel.processes.addThread(thread);
    kernel.processes.add(process);
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
   *   DeadlockError DEADLOCK if nothing can happen any more while processes are waiting; MachineError PLUGIN_FAILED if a tap threw,
   *   with where and when; STOPPED after a run that ended in any error; RUNNING within a run; INVALID_ARGUMENT.
   *   Programs' own errors come through as they are.
   */
  run(options: number | RunOptions = {}): 'ended' | 'until' {
    this.#requireIntact();
    if (this.#running)
      throw new MachineError('RUNNING', 'run was called within a run of the same machine; call it after that has come back');
    const { until, deaths = 'throw' } = checkedRunOptions(options);
    const known = this.deaths.length;
    this.kernel.deaths.onUnheard = deaths === 'throw' ? () => this.platform.stop() : () => {};
    const end = this.#runPlatform(until);
    if (deaths === 'throw' && this.deaths.length > known) throw this.#died(this.deaths.slice(known));
    if (end === 'until') return 'until';
    if (end === 'deadlock' && this.kernel.processes.alive > 0) throw this.#deadlock();
    return 'ended';
  }

  #died(deaths: readonly Death[]): ProcessDeathError {
    const { tscPerNs } = this.platform.costs;
    const texts = deaths.map((death) => deathText(death, tscPerNs));
    const remedy = "Mend the program; if it is meant to die, use run({ deaths: 'report' }) and look at the machine's deaths";
    return new ProcessDeathError(deaths, `${texts.join('; ')}. ${remedy}`);
  }

  #runPlatform(until: number | undefined): ReturnType<Platform['run']> {
    this.#running = true;
    try {
      return this.platform.run(until);
    } catch (error) {
      this.#failure = error instanceof TapError ? this.#pluginFailed(error) : error;
      throw this.#failure;
    } finally {
      this.#running = false;
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
    if (this.#tornDown) throw new MachineError('TORN_DOWN', 'this machine was torn down, and its plugins with it; build another one');
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
      place = `on CPU ${cpu.id} at ${timeText(cpu.clock, cpu.costs.tscPerNs)}, where ${task.name} (thread ${task.pid}, state ${task.state}) ran`;
    }
    return new MachineError('PLUGIN_FAILED', `${error.message}; the machine stopped ${place}. Repair the tap, and build another machine`, {
      cause: error,
    });
  }

  /** Removes the plugins, last first, and undoes what they set up outside the machine. The machine cannot run any more. */
  teardown(): void {
    this.#tornDown = true;
    this.#host.teardown();
  }

  #deadlock(): DeadlockError {
    const { tscPerNs } = this.platform.costs;
    const threads = [...this.kernel.processes.threads()];
    const waiting = threads.map((thread) => waitingText(thread, tscPerNs));
    // Those that nobody was told of, and those that wait for somebody who asks.
    const deaths = [...this.deaths, ...[...this.kernel.processes].flatMap(({ death }) => death ?? [])];
    const dead = deaths.map((death) => deathText(death, tscPerNs));
    const before = dead.length === 0 ? '' : `. Before, ${dead.join('; ')}`;
    return new DeadlockError(threads.map(waitingOf), `nothing can happen any more, but these wait: ${waiting.join('; ')}${before}`);
  }
}

/** Builds a machine: hardware, kernel, plugins; sealed and ready to `spawn` programs. */
export function createMachine(options: MachineOptions = {}): Machine {
  return new Machine(options);
}

function checkedRunOptions(given: number | RunOptions): RunOptions {
  const invalid = (message: string) => new MachineError('INVALID_ARGUMENT', `run: ${message}`);
  const options = typeof given === 'number' ? { until: given } : given;
  if (typeof options !== 'object' || options === null) throw invalid(`${shown(options)} is neither TSC cycles nor { until, deaths }`);
  const { until = 0, deaths = 'throw', ...rest } = options;
  for (const name of Object.keys(rest))
    throw invalid(`there is no option "${name}"${didYouMean(name, ['until', 'deaths']) || '; there are until and deaths'}`);
  if (typeof until !== 'number' || Number.isNaN(until)) throw invalid(`until is ${shown(until)}; give TSC cycles of machine time`);
  if (deaths !== 'throw' && deaths !== 'report') throw invalid(`deaths is ${shown(deaths)}; give 'throw' or 'report'`);
  return options;
}
