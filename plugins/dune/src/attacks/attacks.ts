import { ModelBug, PAGE_SIZE } from '@rpal/hw-x86';
import { createMachine, executable, type Program, SyscallNumber } from '@rpal/kernel';
import { xeonE31230v2 } from '../machines/xeon-e3-1230v2.js';
import { dune, vmcall } from '../module/module.js';
import { Dune, OPEN } from '../runtime/dune.js';
import { writeEntry } from '../runtime/guest-tables.js';
import { sandbox } from '../runtime/sandbox.js';

const SECRET = 0x5ec2e7;
const FORGED = 0xbad;
/** Machine time after which everything has ended, ns. */
const PATIENCE = 1e9;

/** What the code that is not trusted finds: addresses are no secret. */
interface Setting {
  readonly p: Program;
  /** Ring 0, where the code has it. */
  readonly d: Dune | null;
  /** Memory of the code. */
  readonly own: number;
  /** A page of the program that calls it; holds SECRET. */
  readonly secret: number;
  /** The entry that maps that page, in the page tables of the program; 0: it has none. */
  readonly entry: number;
  /** A pipe of the program. */
  readonly pipe: { readonly read: number; readonly write: number };
}

/** @returns whether it has reached its goal */
type Attack = (setting: Setting) => Generator<void, boolean>;

/** By what the code tries. */
export const attacks = {
  'read of memory': function* ({ p, secret }) {
    return (yield* p.load64(secret)) === SECRET;
  },
  'write to memory': function* ({ p, secret }) {
    yield* p.store64(secret, FORGED);
    return true;
  },
  'call that is not allowed': function* ({ p }) {
    return (yield* p.pipe()) >= 0;
  },
  'call by VMCALL': function* ({ p }) {
    return (yield* vmcall(p, SyscallNumber.getppid)) >= 0;
  },
  'memory read by a call': function* ({ p, own, secret, pipe }) {
    if ((yield* p.write(pipe.write, secret, 8)) !== 8) return false;
    yield* p.read(pipe.read, own, 8);
    return (yield* p.load64(own)) === SECRET;
  },
  'page table written': function* ({ p, entry }) {
    if (entry === 0) return false;
    yield* p.store32(entry, 0);
    return true;
  },
  'frame that is not its own': function* ({ p, d, own }) {
    if (d === null) return false;
    // Where the process has no memory: whatever the machine keeps in that frame.
    yield* remap(d, own, 0x123);
    yield* p.load64(own);
    return true;
  },
  'page that was taken back': function* ({ p, own }) {
    yield* p.store64(own, SECRET);
    if ((yield* p.munmap(own, PAGE_SIZE)) !== 0) return false;
    return (yield* p.load64(own)) === SECRET;
  },
} as const satisfies Record<string, Attack>;

/** @public for reports */
export type AttackName = keyof typeof attacks;

function* remap(d: Dune, page: number, frame: number): Generator<void, void> {
  const entry = yield* d.tables.page(d, page);
  yield* writeEntry(d, entry, frame, OPEN);
  d.invlpg(page);
}

/** Where the code runs: in a process of Linux, in ring 0 of one in Dune mode, or in a sandbox of such a one. */
export const places = ['linux', 'dune', 'sandbox'] as const;

/** @public for reports */
export type Place = (typeof places)[number];

/** How an attack ended. @public for reports */
export interface AttackOutcome {
  readonly succeeds: boolean;
  /** What ended with it. */
  readonly ends: 'nothing' | 'the code' | 'the process';
}

/** Runs one attack on a machine of its own. */
export function runAttack(name: AttackName, place: Place): AttackOutcome {
  const machine = createMachine({ profile: xeonE31230v2, plugins: [dune()] });
  let [reached, stopped] = [false, false];
  const attack: Attack = attacks[name];
  const process = machine.spawn(
    executable('program', function* (p) {
      const own = yield* p.allocate(PAGE_SIZE);
      const secret = yield* p.allocate(PAGE_SIZE);
      yield* p.store64(secret, SECRET);
      const pipe = { read: yield* p.pipe(), write: p.second };
      const run = function* (q: Program, d: Dune | null, entry: number): Generator<void, void> {
        reached = yield* attack({ p: q, d, own, secret, entry, pipe });
      };
      if (place === 'linux') {
        yield* run(p, null, 0);
        return;
      }
      const d = yield* Dune.enter(p);
      const entry = yield* d.base.page(d, secret);
      if (place === 'dune') {
        yield* run(p, d, entry);
        return;
      }
      const policy = { memory: [own, PAGE_SIZE], allows: (nr: number) => nr === SyscallNumber.getpid } as const;
      const end = yield* sandbox(d, policy, (q) => run(q, null, entry));
      stopped = end.kind === 'stopped';
      if ((yield* d.load64(secret)) !== SECRET) reached = true;
    }),
  );
  const { platform } = machine;
  machine.run({ until: platform.now + PATIENCE * platform.costs.tscPerNs, deaths: 'report' });
  if (process.exit === null) throw new ModelBug(`attack "${name}" (${place}): the program has not ended`);
  const died = process.exit.signal !== 0;
  return { succeeds: reached, ends: died ? 'the process' : stopped ? 'the code' : 'nothing' };
}
