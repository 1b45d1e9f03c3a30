import type { CpuProfile, Ledger } from '@rpal/hw-x86';
import { createMachine, executable, type Machine, type MachineOptions, type Program, Time } from '@rpal/kernel';
import { type LibraryBuild, rpalExecutable, unoptimised } from '@rpal/librpal';
import { findRpal, rpal } from '@rpal/rpal-core';
import { SocketType } from '@rpal/uapi';
import { LazySwitchMeter, type SwitchTally } from './lazy-switch-meter.js';
import { Meter } from './meter.js';
import { BenchmarkFailure, check } from './outcome.js';
import { type Experiment, epollClient, epollServer, rpalClient, rpalServer, SOCKET_PATH } from './rfc-programs.js';

export { BenchmarkFailure };

/** Where the two processes run: on one CPU, or on two of one socket, or of two. */
export type Placement = 'same-cpu' | 'same-socket' | 'cross-socket';

/** Where they are unless told otherwise. */
export const DEFAULT_PLACEMENT: Placement = 'same-socket';

/** Plug RPAL in yourself to give it options. */
const RPAL = '@rpal/rpal-core';

/** Which halves of the benchmark to run. */
export type Phase = 'epoll' | 'rpal';

/** The RFC's benchmark as an experiment. */
export interface RfcOptions {
  readonly machine: MachineOptions;
  readonly placement: Placement;
  readonly messages: number;
  /**
   * Bytes per message, 18 .. 1024. The RPAL phase passes them as 8-byte words, the last one padded, at most 32 to a call:
   * messages above 256 bytes take several calls.
   */
  readonly size: number;
  readonly phases: readonly Phase[];
  /** What the compiler made of the library in the RPAL phase: without optimisation, as the sample's Makefile has it, by default. */
  readonly build?: LibraryBuild;
}

/** What one phase measured. */
export interface PhaseResult {
  readonly phase: Phase;
  /** Messages that were received and echoed. */
  readonly messages: number;
  /** Sum over all messages of server stamp minus client stamp, TSC cycles. */
  readonly totalCycles: number;
  /** Where those cycles went. */
  readonly forward: Ledger;
  /** Where the rest of the round trips went: echo, and way back. */
  readonly back: Ledger;
  /** Messages whose booked cycles were not exactly what the two stamps say. */
  readonly unbalanced: number;
  /** Lazy switches: only the RPAL phase has any. */
  readonly toReceiver: SwitchTally;
  readonly toSender: SwitchTally;
}

export interface RfcResult {
  /** The phases in which messages went. */
  readonly phases: readonly PhaseResult[];
  /** False if the run was stopped before all messages had come back. */
  readonly complete: boolean;
  readonly fingerprint: string;
}

/** CPUs of client and server. */
export function cpusFor({ topology: { sockets, coresPerSocket } }: CpuProfile, placement: Placement): readonly [number, number] {
  if (placement === 'same-cpu') return [0, 0];
  if (placement === 'same-socket') {
    check(coresPerSocket > 1, 'the profile has one core per socket');
    return [0, 1];
  }
  check(sockets > 1, 'the profile has one socket');
  return [0, coresPerSocket];
}

/**
 * The benchmark of the RFC's sample (patch 35): a text with the sender's stamp goes to a server, which echoes it.
 * The RPAL plugin is there, and the programs are RPAL binaries, only if the RPAL phase is asked for.
 */
export class RfcBenchmark {
  readonly machine: Machine;
  readonly #phases: readonly Phase[];
  readonly #experiment: Experiment;
  readonly #meters: ReadonlyMap<Phase, Meter>;
  readonly #lazySwitches = new LazySwitchMeter();
  #phase: Phase;

  constructor({ machine, placement, messages, size, phases, build = unoptimised }: RfcOptions) {
    check(messages >= 1, `messages: ${messages} is less than 1`);
    check(size >= 18 && size <= 1024, `size: ${size} bytes is not within 18 .. 1024`);
    const withRpal = phases.includes('rpal');
    const given = machine.plugins ?? [];
    const ownRpal = given.some(({ definition }) => definition.name === RPAL) ? [] : [rpal()];
    const plugins = [...given, ...(withRpal ? [...ownRpal, this.#lazySwitches.plugin] : [])];
    // The programs' sleeps come before the first message: lateness would only decide which ticks the messages meet.
    this.machine = createMachine({ timerSlack: 0, ...machine, plugins });
    this.#phases = phases;
    this.#phase = phases[0] as Phase;
    const stampBytes = findRpal(this.machine)?.quirk('stamp-ends-in-filler') === false ? 18 : 19;
    this.#experiment = { messages, size, build, stampBytes, stopRequested: false, stopped: false };
    this.#meters = new Map(phases.map((phase) => [phase, new Meter(this.machine)]));
    const [clientCpu, serverCpu] = cpusFor(this.machine.platform.profile, placement);
    const binary = withRpal ? rpalExecutable : executable;
    this.machine.spawn(
      binary('rpal-server', (p) => this.#server(p, serverCpu)),
      serverCpu,
    );
    this.machine.spawn(
      binary('rpal-client', (p) => this.#client(p, clientCpu)),
      clientCpu,
    );
  }

  /** The phase that runs, or ran last. */
  get phase(): Phase {
    return this.#phase;
  }

  /** Messages that have been received so far, in all phases. */
  get messages(): number {
    let sum = 0;
    for (const { messages } of this.#meters.values()) sum += messages;
    return sum;
  }

  /**
   * Goes on with the run. Where it pauses makes no difference to the result.
   * @param cycles TSC cycles of machine time at most; by default to the end
   * @returns true once the run has ended
   * @throws BenchmarkFailure if a call of the workload failed, or a message came back other than it went
   */
  advance(cycles: number = Number.POSITIVE_INFINITY): boolean {
    return this.machine.run(this.machine.platform.now + cycles) === 'ended';
  }

  /** Ends the run with the message that is under way; `advance` on until it has ended. */
  stop(): void {
    this.#experiment.stopRequested = true;
  }

  result(): RfcResult {
    const { toReceiver, toSender } = this.#lazySwitches;
    const none: SwitchTally = { count: 0, cycles: 0 };
    const phases: PhaseResult[] = [];
    for (const [phase, { messages, totalCycles, forward, back, unbalanced }] of this.#meters) {
      if (messages === 0) continue;
      const switches = phase === 'rpal' ? { toReceiver, toSender } : { toReceiver: none, toSender: none };
      phases.push({ phase, messages, totalCycles, forward, back, unbalanced, ...switches });
    }
    const complete = this.messages === this.#phases.length * this.#experiment.messages;
    return { phases, complete, fingerprint: this.machine.fingerprint() };
  }

  *#server(p: Program, cpu: number): Generator<void, void> {
    check((yield* p.setAffinity([cpu])) === 0, `server: cannot be pinned to CPU ${cpu}`);
    const listener = yield* p.socket(SocketType.STREAM);
    check(listener >= 0, 'server: no socket');
    check((yield* p.bind(listener, SOCKET_PATH)) === 0 && (yield* p.listen(listener, 10)) === 0, 'server: cannot listen');
    for (const [phase, meter] of this.#meters) {
      if (this.#experiment.stopped) break;
      meter.server = p;
      yield* p.call((phase === 'epoll' ? epollServer : rpalServer)(p, listener, meter, this.#experiment));
    }
  }

  *#client(p: Program, cpu: number): Generator<void, void> {
    check((yield* p.setAffinity([cpu])) === 0, `client: cannot be pinned to CPU ${cpu}`);
    check((yield* p.sleep(Time.ms)) === 0, 'client: its sleep was interrupted');
    for (const [phase, meter] of this.#meters) {
      if (this.#experiment.stopped) break;
      this.#phase = phase;
      meter.client = p;
      yield* p.call((phase === 'epoll' ? epollClient : rpalClient)(p, meter, this.#experiment));
    }
  }
}

/** The core clock that a benchmark's machine runs at, GHz. */
export function coreGHzOf({ machine: { platform } }: RfcBenchmark): number {
  return Number((platform.profile.clock.tscGHz / platform.costs.tscPerCore).toFixed(6));
}

/** Runs the benchmark to its end in one go. */
export function runRfcBenchmark(options: RfcOptions): RfcResult {
  const benchmark = new RfcBenchmark(options);
  benchmark.advance();
  return benchmark.result();
}
