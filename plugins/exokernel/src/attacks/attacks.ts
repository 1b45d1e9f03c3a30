import { defaultProfile, ModelBug } from '@rpal/hw-x86';
import type { Capability } from '../kernel/capability.js';
import type { Environment, Routine } from '../kernel/environment.js';
import { Exokernel } from '../kernel/exokernel.js';
import { granted } from '../kernel/frames.js';
import { PageTables } from '../libos/page-tables.js';

const SECRET = 0x5ec2e7;
const FORGED = 0xbad;
/** Where the victim has its page, and where the attacker shows itself things. */
const VICTIM = 0x4000_0000;
const OWN = 0x4800_0000;

/** What the attacker has. Frame numbers and addresses are no secret. */
interface Setting {
  readonly e: Environment;
  readonly tables: PageTables;
  /** Of the victim's page: made up, for reading, or the victim's own. */
  readonly capability: Capability;
}

/** @returns whether it has got what it wanted, as far as it can tell itself */
type Attack = (setting: Setting) => Routine<boolean>;

function* show({ tables, capability }: Setting, access: 'read' | 'write'): Routine<boolean> {
  return (yield* tables.map(capability, OWN, access)) === null;
}

/** By what is tried. */
export const attacks = {
  'page read': function* (setting) {
    return (yield* show(setting, 'read')) && (yield* setting.e.load(OWN)) === SECRET;
  },
  'page written': function* (setting) {
    if (!(yield* show(setting, 'write'))) return false;
    yield* setting.e.store(OWN, FORGED);
    return true;
  },
  'page written, bound for reading': function* (setting) {
    if (!(yield* show(setting, 'read'))) return false;
    yield* setting.e.store(OWN, FORGED);
    return true;
  },
  'right to write claimed': function* (setting) {
    const capability = { ...setting.capability, writable: true };
    if (!(yield* show({ ...setting, capability }, 'write'))) return false;
    yield* setting.e.store(OWN, FORGED);
    return true;
  },
  'page freed': function* ({ e, capability }) {
    return (yield* e.free(capability)) === null;
  },
  'page made a page table': function* ({ e, capability }) {
    return (yield* e.bindTable(capability, 0x5000_0000_0000, 3)) === null;
  },
  'own page table written': function* ({ e, tables }) {
    const table = yield* e.allocate();
    if (!granted(table)) return false;
    yield* e.bindTable(table, 0x5000_0000_0000, 3);
    if ((yield* tables.map(table, OWN, 'write')) !== null) return false;
    yield* e.store(OWN, 7);
    return true;
  },
  'own page made a table while it is shown': function* ({ e, tables }) {
    const page = yield* tables.fresh(OWN);
    return granted(page) && (yield* e.bindTable(page, 0x5000_0000_0000, 3)) === null;
  },
  'memory that is not bound read': function* ({ e }) {
    yield* e.load(0x7000_0000);
    return true;
  },
  'TLB flushed': function* ({ e }) {
    yield* e.invlpg(VICTIM);
    return true;
  },
  'page shown on after its owner has ended': function* (setting) {
    if (!(yield* show(setting, 'read'))) return false;
    yield* setting.e.load(OWN);
    // The victim ends meanwhile.
    for (let i = 0; i < 2; i++) yield* setting.e.yield();
    yield* setting.e.load(OWN);
    return true;
  },
} as const satisfies Record<string, Attack>;

/** @public for reports */
export type AttackName = keyof typeof attacks;

/** Who attacks: somebody who makes a capability up, somebody who was given one for reading, or the victim's own library. */
export const attackers = ['stranger', 'reader', 'owner'] as const;

/** @public for reports */
export type Attacker = (typeof attackers)[number];

/** How an attack ended. @public for reports */
export interface AttackOutcome {
  readonly succeeds: boolean;
  /** Whether the attacker was ended for it. */
  readonly ends: boolean;
}

/** Runs one attack on a machine of its own. */
export function runAttack(name: AttackName, attacker: Attacker): AttackOutcome {
  const os = new Exokernel({ profile: defaultProfile });
  const attack: Attack = attacks[name];
  let own: Capability | null = null;
  let weak: Capability | null = null;
  let [reached, written] = [false, false];
  const victim = os.environment('victim', function* (e) {
    const tables = new PageTables(e);
    const page = yield* tables.fresh(VICTIM);
    if (!granted(page)) return;
    yield* e.store(VICTIM, SECRET);
    const weakened = yield* e.weaken(page);
    [own, weak] = [page, granted(weakened) ? weakened : null];
    if (attacker === 'owner') {
      reached = yield* attack({ e, tables, capability: page });
      return;
    }
    yield* e.yield();
    // Bindings that are gone are noticed here.
    written = (yield* e.load(VICTIM)) !== SECRET;
  });
  const other = os.environment('attacker', function* (e) {
    if (attacker === 'owner' || own === null || weak === null) return;
    const guessed = { ...own, check: own.check ^ 1 };
    reached = yield* attack({ e, tables: new PageTables(e), capability: attacker === 'reader' ? weak : guessed });
  });
  os.run();
  const by = attacker === 'owner' ? victim : other;
  if (!by.dead) throw new ModelBug(`attack "${name}" (${attacker}): the attacker has not ended`);
  const destroyed = attacker !== 'owner' && victim.faulted;
  return { succeeds: reached || written || destroyed, ends: by.faulted };
}
