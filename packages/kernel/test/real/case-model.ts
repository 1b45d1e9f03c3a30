import { TaskState } from '@rpal/sched';
import { LinuxCall, MapFlag, Prot, Rlimit } from '@rpal/uapi';
import { SignalFrame } from '../../../posix/src/index.js';
import { executable, type Machine, MachineError, type Program, Time } from '../../src/index.js';
import { callInC } from './call-in-c.js';
import { A, type Argument, isCall, ORDER, REGION, recordOf, type Script, SHARED, type Step, TEXT } from './case.js';
import { dropRights, LIMITS, linuxModel } from './linux-model.js';

/** Machine time that a case may take. */
const LONGEST = 10 * Time.s;

/** What the model answers. */
export function onModel(script: Script): string[] {
  return new CasePlayer(linuxModel(), script).play();
}

/** The variables of a process: its threads share them, its children begin with a copy. */
type Variables = Map<string, number>;

class CasePlayer {
  readonly #machine: Machine;
  readonly #script: Script;
  readonly #answers = new Map<string, string[]>();
  #over = false;

  constructor(machine: Machine, script: Script) {
    this.#machine = machine;
    this.#script = script;
  }

  play(): string[] {
    const { platform } = this.#machine;
    this.#machine.spawn(executable('init', (p) => this.#init(p)));
    const end = platform.now + LONGEST * platform.profile.clock.tscGHz;
    try {
      while (!this.#over && platform.now < end) this.#machine.run({ until: platform.now + 1e7, deaths: 'report' });
    } catch (error) {
      if (!(error instanceof MachineError && error.code === 'DEADLOCK')) throw error;
    }
    return [...this.#answers].map(([step, answers]) => `${step} ${answers.join('|')}`);
  }

  *#init(p: Program): Generator<void, void> {
    const both = Prot.READ | Prot.WRITE;
    for (const [address, sharing] of [
      [A, MapFlag.PRIVATE],
      [SHARED, MapFlag.SHARED],
      [TEXT, MapFlag.PRIVATE],
    ] as const)
      yield* p.mmap(address, REGION, both, sharing | MapFlag.ANONYMOUS | MapFlag.FIXED);
    yield* p.storeBytes(TEXT, this.#script.texts);
    yield* p.umask(0o022);
    yield* p.chdir('/tmp');
    dropRights(p, LIMITS);
    const program = yield* p.fork((c) => this.#program(c));
    for (;;) {
      if ((yield* p.wait()) !== program) continue;
      this.#over = true;
    }
  }

  *#program(p: Program): Generator<void, void> {
    yield* p.syscall(LinuxCall.setsid);
    yield* p.prlimit(Rlimit.NOFILE, 64);
    yield* p.prlimit(Rlimit.CORE, 0);
    yield* p.prlimit(Rlimit.SIGPENDING, 100);
    for (let fd = 0; fd < 3; fd++) yield* p.eventfd();
    yield* this.#run(p, this.#script.lists[0] as readonly Step[], new Map());
  }

  *#run(p: Program, steps: readonly Step[], variables: Variables): Generator<void, void> {
    const list = this.#script.numberOf(steps);
    for (const [at, step] of steps.entries()) {
      const answer = yield* this.#make(p, step, variables);
      const known = this.#answers.get(`${list} ${at}`) ?? [];
      this.#answers.set(`${list} ${at}`, known);
      if (!known.includes(answer)) known.push(answer);
    }
  }

  *#make(p: Program, step: Step, variables: Variables): Generator<void, string> {
    const keep = (name: string, value: number): string => {
      if (value < 0) return String(value);
      variables.set(name, value);
      return '+';
    };
    if (isCall(step)) {
      const [answer, name, ...args] = step;
      const result = yield* callInC(
        p,
        LinuxCall[name],
        args.map((argument) => this.#value(argument, variables)),
      );
      return typeof answer === 'object' ? keep(answer.name, result) : String(result);
    }
    switch (step.kind) {
      case 'put':
        yield* p.storeBytes(step.address, step.bytes);
        return '0';
      case 'get':
        return yield* this.#words(p, step.address, step.words, variables);
      case 'bytes': {
        const bytes = new Uint8Array(new TextEncoder().encode(step.text).length);
        yield* p.loadBytes(step.address, bytes);
        return Buffer.from(bytes).toString('hex');
      }
      case 'load':
        return String(yield* p.load8(step.address));
      case 'store':
        yield* p.store8(step.address, step.byte);
        return '0';
      case 'fork':
        return keep(step.name, yield* p.fork((c) => this.#run(c, step.steps, new Map(variables))));
      case 'thread': {
        const run = (c: Program) => this.#run(c, step.steps, variables);
        return keep(step.name, yield* p.clone(run));
      }
      case 'handler': {
        const { signal, flags, mask, steps } = step;
        const handle = (q: Program, number: number) => this.#handle(q, number, steps, variables);
        return String(yield* p.sigaction(signal, handle, flags, mask));
      }
      case 'asleep':
        yield* this.#waitAsleep(p, variables.get(step.who.name) as number);
        return '0';
    }
  }

  #value(argument: Argument, variables: Variables): number {
    if (typeof argument === 'number') return argument;
    if (typeof argument === 'string') return this.#script.addressOf(argument);
    return (variables.get(argument.name) ?? -1_000_000) * argument.factor + argument.summand;
  }

  *#words(p: Program, address: number, words: readonly (number | { name: string })[], variables: Variables): Generator<void, string> {
    const bytes = new Uint8Array(4 * words.length);
    yield* p.loadBytes(address, bytes);
    const found = new Int32Array(bytes.buffer);
    return words
      .map((word, at) => {
        const isSame = typeof word === 'object' && variables.get(word.name) === found[at];
        return isSame ? `v${this.#script.variable(word.name)}` : found[at];
      })
      .join(' ');
  }

  *#handle(p: Program, signal: number, steps: readonly Step[] | null, variables: Variables): Generator<void, void> {
    const frame = new SignalFrame(p);
    const record = recordOf(signal);
    const bytes = new Uint8Array(16);
    yield* p.store32(record, (yield* p.load32(record)) + 1);
    yield* p.store32(record + 4, yield* frame.code());
    yield* p.loadBytes(frame.info + 16, bytes);
    yield* p.storeBytes(record + 8, bytes);
    const count = (yield* p.load32(ORDER)) + 1;
    yield* p.store32(ORDER, count);
    yield* p.store32(ORDER + 4 * count, signal);
    if (steps !== null) yield* this.#run(p, steps, variables);
  }

  *#waitAsleep(p: Program, tid: number): Generator<void, void> {
    const { processes } = this.#machine.kernel;
    const isAwake = () => {
      for (const { threads } of processes) for (const thread of threads) if (thread.pid === tid) return AWAKE.has(thread.state);
      return false;
    };
    for (let still = 0; still < 4; still++) {
      yield* p.sleep(150 * Time.us);
      if (isAwake()) still = 0;
    }
  }
}

const AWAKE: ReadonlySet<number> = new Set([TaskState.RUNNING, TaskState.NEW, TaskState.WAKING]);
