import { type CpuProfile, EPTP_LIST_ENTRIES, GuestMode, HardwareError, ModelBug, profiles } from '@rpal/hw-x86';
import { createMachine, MachineError, type Process, type Program } from '@rpal/kernel';
import { EPOLLRPALIN, findReceiver, introduce, type LibRpal, librpal, rpalExecutable, welcome } from '@rpal/librpal';
import { pkruOf, Rcc, ReceiverState, RpalBug, rpal } from '@rpal/rpal-core';
import { Epoll, Poll, Signal, SocketType } from '@rpal/uapi';
import { type NoMpkIsolation, noMpk } from './plugin.js';
import { Vmfunc } from './vmfunc.js';

const SECRET = 0x5ec2e7;
const FORGED = 0xbad;
/** Exit status of a victim whose memory is no longer what it was. */
const CHANGED = 2;
const HUNG: Outcome = { succeeds: true, crashes: 'nobody', hangs: true, detail: 'the victim is never woken again' };
const PATH = '/tmp/victim';
/** Machine time after which a victim that has not woken up never will. */
const PATIENCE_MS = 100;

/** What the victim has told the attacker, or the attacker has found out: addresses are no secret. */
interface Setting {
  victim: Process | null;
  /** Private page of the victim; holds SECRET. */
  page: number;
  /** Its receiver call context. */
  rcc: number;
  /** Its thread pointer. */
  fsBase: number;
  text: number;
  /** A page of the attacker; holds SECRET. */
  attackersPage: number;
  /** The attacker has reached what it was after. */
  reached: boolean;
}

/** The attacker's program once it is connected, requested, registered as sender, and has made one honest call. */
type Attack = (p: Program, lib: LibRpal, setting: Setting, victimPkey: number) => Generator<void, void>;

/** Opens the victim as the library does in the middle of `rpal_write_ptrs`. */
function openWindow(p: Program, lib: LibRpal, victimPkey: number): void {
  const { cpu } = p.context;
  lib.process.isolation.userLoad(cpu, cpu.mmu.pkru & pkruOf(victimPkey));
}

function* read(p: Program, setting: Setting): Generator<void, void> {
  setting.reached = (yield* p.load64(setting.page)) === SECRET;
}

/** Executes an instruction that may be none: #UD, which Linux turns into SIGILL. */
function* execute(p: Program, instruction: () => void): Generator<void, void> {
  try {
    instruction();
  } catch (error) {
    if (!(error instanceof HardwareError && error.code === 'INVALID_OPCODE')) throw error;
    yield* p.kill(yield* p.getpid(), Signal.ILL);
  }
}

/** The experiments, by what the attacker does. */
export const attacks = {
  'stray read': (p, _lib, setting) => read(p, setting),
  'stray write': function* (p, _lib, setting) {
    yield* p.store64(setting.page, FORGED);
    setting.reached = true;
  },
  'read inside a call window': function* (p, lib, setting, victimPkey) {
    openWindow(p, lib, victimPkey);
    yield* read(p, setting);
  },
  'WRPKRU(0)': function* (p, _lib, setting) {
    yield* execute(p, () => p.wrpkru(0));
    yield* read(p, setting);
  },
  'VMFUNC to a view on the list': function* (p, lib, setting, victimPkey) {
    const { cpu } = p.context;
    const { isolation } = lib.process;
    // The view of the honest call; where it is on the list is no secret.
    const index = isolation instanceof Vmfunc ? isolation.indexOf(cpu, cpu.mmu.pkru & pkruOf(victimPkey)) : 0;
    yield* execute(p, () => GuestMode.of(cpu).vmfunc(index));
    yield* read(p, setting);
  },
  'VMFUNC to a view off the list': function* (p, _lib, setting) {
    yield* execute(p, () => GuestMode.of(p.context.cpu).vmfunc(EPTP_LIST_ENTRIES - 1));
    yield* read(p, setting);
  },
  'window opened by a thread without a role': function* (p, lib, setting, victimPkey) {
    let over = false;
    yield* p.clone(function* (other) {
      openWindow(other, lib, victimPkey);
      yield* read(other, setting);
      over = true;
    });
    while (!over) yield* p.sleep(10_000);
  },
  'forged FS base': function* (p, _lib, setting) {
    p.wrfsbase(setting.fsBase);
    setting.reached = (yield* p.getpid()) === setting.victim?.pid;
  },
  "jump into the peer's code": function* (p, _lib, setting) {
    yield* p.fetch(setting.text);
    setting.reached = true;
  },
  'forged call words': function* (p, lib, setting, victimPkey) {
    openWindow(p, lib, victimPkey);
    yield* p.store32(setting.rcc + Rcc.receiverState, ReceiverState.CALL);
  },
  'callee reads the caller': function* () {
    // The victim's code does the reading, in the call that follows.
  },
} as const satisfies Record<string, Attack>;

export type AttackName = keyof typeof attacks;

/** How services are isolated: the series' way, or one of this plugin's. */
export type IsolationName = 'mpk' | NoMpkIsolation;

export const isolationNames: readonly IsolationName[] = ['mpk', 'page-table', 'vmfunc', 'none'];

/** How an experiment ended. */
export interface Outcome {
  readonly succeeds: boolean;
  /** Whom the kernel killed; or the machine, if it stopped. */
  readonly crashes: 'nobody' | 'attacker' | 'victim' | 'both' | 'machine';
  /** The victim lives, but nothing can wake it any more, not even SIGKILL. */
  readonly hangs: boolean;
  /** What happened, in a few words. */
  readonly detail: string;
}

/** Four cores of a profile: machines are made in no time. Without keys unless the isolation is made of them. @public for experiments of your own */
export function attackProfile(isolation: IsolationName, base: CpuProfile = profiles[0] as CpuProfile): CpuProfile {
  const pku = isolation === 'mpk';
  return {
    ...base,
    name: pku ? base.name : `${base.name}-nopku`,
    topology: { sockets: 1, coresPerSocket: 4, threadsPerCore: 1, coresPerCache: 4, memoryPerSocket: 1 },
    features: { ...base.features, pku },
  };
}

/** Runs one experiment on a machine of its own. */
export function runAttack(name: AttackName, isolation: IsolationName): Outcome {
  const reversed = name === 'callee reads the caller';
  const plugins = [rpal(), ...(isolation === 'mpk' ? [] : [noMpk({ isolation })])];
  const machine = createMachine({ profile: attackProfile(isolation), plugins });
  const setting: Setting = { victim: null, page: 0, rcc: 0, fsBase: 0, text: 0, attackersPage: 0, reached: false };
  const victim = machine.spawn(
    rpalExecutable('victim', (p) => victimProgram(p, setting, reversed)),
    0,
  );
  setting.victim = victim;
  const attacker = machine.spawn(
    rpalExecutable('attacker', (p) => attackerProgram(p, setting, attacks[name])),
    1,
  );
  const { tscPerNs } = machine.platform.costs;
  try {
    const end = machine.run({ until: machine.platform.now + PATIENCE_MS * 1e6 * tscPerNs, deaths: 'report' });
    if (end === 'until' || victim.exit === null) return HUNG;
  } catch (error) {
    if (error instanceof MachineError && error.code === 'DEADLOCK') return HUNG;
    if (error instanceof RpalBug) return { succeeds: true, crashes: 'machine', hangs: false, detail: error.message };
    throw error;
  }
  // In the experiment of the hostile callee the caller is the victim.
  return reversed ? judge(name, setting, attacker, victim) : judge(name, setting, victim, attacker);
}

/** What it means if an experiment reached its goal. */
const goals: Partial<Record<AttackName, string>> = {
  'forged FS base': "the system call was executed as the victim's",
  "jump into the peer's code": "the instruction was fetched from the victim's code",
};

/** @param victim the process whose memory is the goal */
function judge(name: AttackName, { reached }: Setting, victim: Process, attacker: Process): Outcome {
  const died = (process: Process) => (process.exit?.signal ?? 0) !== 0;
  const crashes = died(victim) ? (died(attacker) ? 'both' : 'victim') : died(attacker) ? 'attacker' : 'nobody';
  const changed = [victim, attacker].some(({ exit }) => exit?.status === CHANGED);
  const succeeds = reached || changed;
  if (succeeds)
    return { succeeds, crashes, hangs: false, detail: changed ? "the victim's memory changed" : (goals[name] ?? 'the secret was read') };
  const detail = attacker.exit?.signal === Signal.ILL ? 'no such instruction' : crashes === 'nobody' ? 'no effect' : 'a fault';
  return { succeeds, crashes, hangs: false, detail };
}

function* victimProgram(p: Program, setting: Setting, hostile: boolean): Generator<void, number> {
  const listener = yield* p.socket(SocketType.STREAM);
  yield* p.bind(listener, PATH);
  yield* p.listen(listener, 1);
  const fd = yield* p.accept(listener);
  const lib = librpal(p);
  yield* lib.init(1);
  const epfd = yield* p.epollCreate();
  yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN | Poll.IN | Poll.HUP);
  const memory = yield* p.allocate(4096);
  setting.page = yield* p.allocate(4096);
  yield* p.store64(setting.page, SECRET);
  yield* p.fetch(p.context.thread.process.textStart);
  yield* welcome(p, lib, fd);
  setting.rcc = lib.process.receiverContexts;
  setting.fsBase = p.context.cpu.fsBase;
  setting.text = p.context.thread.process.textStart;
  for (;;) {
    yield* lib.epollWait(epfd, memory, 4, -1);
    const rpalEvent = ((yield* p.load32(memory)) & EPOLLRPALIN) !== 0;
    if (!rpalEvent) break;
    yield* lib.readPtrs(fd, memory + 64, 1);
    if (hostile && setting.attackersPage !== 0) setting.reached = (yield* p.load64(setting.attackersPage)) === SECRET;
  }
  return (yield* p.load64(setting.page)) === SECRET ? 0 : CHANGED;
}

function* attackerProgram(p: Program, setting: Setting, attack: Attack): Generator<void, number> {
  yield* p.sleep(1e6);
  const fd = yield* p.socket(SocketType.STREAM);
  yield* p.connect(fd, PATH);
  const lib = librpal(p);
  yield* lib.init(1);
  const id = yield* introduce(p, lib, fd);
  const far = yield* findReceiver(p, lib, id, fd);
  if (far === null) throw new ModelBug('attack: the victim never began to wait');
  const words = yield* p.allocate(4096);
  yield* p.store64(words, 1);
  if ((yield* lib.writePtrs(id, far, words, 1)) !== 1) throw new ModelBug('attack: the honest call failed');
  yield* p.store64(words, SECRET);
  setting.attackersPage = words;
  yield* attack(p, lib, setting, lib.process.peers[id]?.pkey ?? -1);
  if (attack === attacks['callee reads the caller']) yield* lib.writePtrs(id, far, words, 1);
  return 0;
}
