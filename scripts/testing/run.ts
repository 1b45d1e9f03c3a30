import { type CpuProfile, profiles } from '@rpal/hw-x86';
import {
  createMachine,
  executable,
  type Image,
  type Machine,
  MachineError,
  type MachineOptions,
  type Main,
  type Process,
  type Program,
  type ProgramImage,
  Time,
} from '@rpal/kernel';
import { signalName } from '@rpal/uapi';
import { expect } from 'vitest';

/**
 * Runs programs in tests. A test's program may hold all that the test expects: if it died half-way, the test would pass without
 * having looked. So every process, children included, has to end by itself with status 0, unless the test says how it ends.
 */

/** How a process ends. What is left out is 0. */
export interface Ending {
  /** Exit status, 0 to 255, if it ends by itself. */
  readonly status?: number;
  /** The signal that kills it. */
  readonly signal?: number;
  /** `si_code` of that signal, and the address of its fault: looked at only if they are given. */
  readonly code?: number;
  readonly address?: number;
}

/** How to build the machine, and how long to run it. */
export interface TestOptions extends MachineOptions {
  /** Cores of its only socket. */
  readonly cpus?: number;
  /** Threads of each core: one by default. */
  readonly threadsPerCore?: number;
  /** Nanoseconds of machine time after which the programs must have ended. */
  readonly within?: number;
}

/** The programs did not end as the test says. */
export class EndingError extends Error {
  override readonly name = 'EndingError';
}

/** Long for a test; a program that is stuck in a loop is found within seconds of the host's time. */
const WITHIN: number = Time.s;

const CPUS = 4;

/** The RFC's CPU with few cores and little memory: machines are made in no time. */
export function smallProfile(cpus = CPUS, threadsPerCore = 1): CpuProfile {
  const [server] = profiles as [CpuProfile];
  return { ...server, topology: { sockets: 1, coresPerSocket: cpus, threadsPerCore, coresPerCache: cpus, memoryPerSocket: 1 } };
}

/** The machine that programs of tests run on. */
export function smallMachine({ cpus, threadsPerCore, within: _, ...options }: TestOptions = {}): Machine {
  return createMachine({ profile: smallProfile(cpus, threadsPerCore), ...options });
}

/** `'running'`: not when the time is up, or when nothing else can happen. `'anyhow'`: the test looks itself. */
export type End = Ending | 'running' | 'anyhow';

/** What tests have said, by the process that runs the program, and by programs that tests run. */
const endings = new WeakMap<Process | Main, End>();

/** The same program, in a process that ends in this way and in no other. */
export function ends(how: End, main: Main): Main {
  const told: Main = function* (p) {
    mustEnd(p, how);
    return yield* main(p);
  };
  endings.set(told, how);
  return told;
}

/** As `ends`, for a part of a program: the process that executes it ends in this way. */
export function mustEnd(p: Program, how: End): void {
  endings.set(p.context.thread.process, how);
}

/** Waits until something holds that another program brings about. */
export function* until(p: Program, condition: () => boolean): Generator<void, void> {
  while (!condition()) yield* p.sleep(20 * Time.us);
}

/** Runs programs to their end, each begun on a CPU of its own. @returns their processes, which have ended as they should */
export function run(options: TestOptions, ...mains: Main[]): Process[];
export function run(...mains: Main[]): Process[];
export function run(first: TestOptions | Main, ...mains: Main[]): Process[] {
  if (typeof first === 'function') return runOn(smallMachine(), first, ...mains);
  const machine = smallMachine(first);
  const processes = spawn(machine, mains);
  finish(machine, first.within);
  return processes;
}

/** As `run`, on a machine that is there. An `Image` is a program that is more than its code. */
export function runOn(machine: Machine, ...programs: (Main | Image)[]): Process[] {
  const processes = spawn(machine, programs);
  finish(machine);
  return processes;
}

function spawn(machine: Machine, programs: readonly (Main | Image)[]): Process[] {
  return programs.map((program, index) => {
    const image = typeof program === 'function' ? executable(`program ${index}`, program) : program;
    const process = machine.spawn(image, index % machine.platform.cpus.length);
    const { main } = image as Partial<ProgramImage>;
    const how = main === undefined ? undefined : endings.get(main);
    // It may die before its first instruction.
    if (how !== undefined) endings.set(process, how);
    return process;
  });
}

/**
 * Runs a machine, whose programs have been spawned, to its end.
 * @param within nanoseconds of machine time from now on after which the programs must have ended
 * @throws EndingError if a process has not ended as the test says
 */
export function finish(machine: Machine, within = WITHIN): void {
  const { kernel, platform } = machine;
  const seen = new Set(kernel.processes);
  const stopWatching = kernel.seams.events.processExit.on('test', (_time, process) => seen.add(process));
  try {
    machine.run({ until: platform.now + within * platform.profile.clock.tscGHz, deaths: 'report' });
  } catch (error) {
    const deadlock = error instanceof MachineError && error.code === 'DEADLOCK';
    if (!deadlock || ![...kernel.processes].every(isAsExpected)) throw error;
  } finally {
    stopWatching();
  }
  for (const process of kernel.processes) seen.add(process);
  const wrong = [...seen].sort((a, b) => a.pid - b.pid).flatMap((process) => complaint(machine, process));
  if (wrong.length > 0) throw new EndingError(wrong.join('\n'));
  // That a process ends as the test says is something that the test expects; that others end well is not.
  if ([...seen].some((process) => (endings.get(process) ?? 'anyhow') !== 'anyhow')) expect(wrong).toEqual([]);
}

function complaint({ deaths }: Machine, process: Process): string[] {
  if (isAsExpected(process)) return [];
  const expected = endings.get(process) as Ending | 'running' | undefined;
  const place = deaths.find(({ pid }) => pid === process.pid)?.place;
  const how = described(process.exit ?? 'running', 'was') + (place === undefined ? '' : `, ${place}`);
  const advice = expected === undefined ? '; if it should, say so: ends({ ... }, program)' : `, but should ${described(expected)}`;
  return [`process ${process.pid} (${process.name}) ${how}${advice}`];
}

function isAsExpected(process: Process): boolean {
  const { exit } = process;
  const expected = endings.get(process) ?? {};
  if (expected === 'anyhow') return true;
  if (exit === null || expected === 'running') return exit === null && expected === 'running';
  return (
    exit.status === (expected.status ?? 0) &&
    exit.signal === (expected.signal ?? 0) &&
    exit.code === (expected.code ?? exit.code) &&
    exit.address === (expected.address ?? exit.address)
  );
}

function described(ending: Ending | 'running', tense: 'was' | 'be' = 'be'): string {
  const [killed, ended, running] =
    tense === 'was' ? ['was killed', 'ended', 'was still running'] : ['be killed', 'end', 'still be running'];
  if (ending === 'running') return `${running} when the time was up`;
  const { status = 0, signal = 0, code = 0, address = 0 } = ending;
  if (signal === 0) return `${ended} with status ${status}`;
  return `${killed} by ${signalName(signal)} (code ${code}, address 0x${address.toString(16)})`;
}
