import type { CostLevel } from '@rpal/hw-x86';
import { type Atom, type Filter, fieldOf, masked, requireFilter, sameTest, type Verdict } from './filter.js';

/**
 * Instructions of a RISC for one step of an interpreter in C, [low, central, high]: written down for this plugin after the shape that such a
 * loop has. Of each, some 13 are the loop: the code fetched, its range checked, a jump through a table, and the jump back.
 */
const COST = {
  /** Once for each program: registers saved and loaded, scratch memory found. */
  start: [30, 45, 70],
  /** Bounds and alignment checked, bytes put together in the order of the host. */
  load4: [28, 38, 50],
  load2: [20, 28, 38],
  load1: [16, 22, 30],
  and: [12, 16, 22],
  /** Either way another offset is fetched and added to the program counter. */
  jump: [16, 22, 30],
  shift: [18, 25, 34],
  store: [12, 16, 22],
  /** A table searched by a key of several words, and for each word of it. */
  match: [40, 60, 90],
  matchWord: [6, 10, 15],
  return: [8, 12, 16],
} as const;

/** A field that is compared at the end, with those of the other filters of a program. */
type Key = Extract<Atom, { kind: 'equal' }>;

/** A program: what several filters have in common, then a look-up of what they differ in. */
interface Program {
  readonly common: readonly Atom[];
  /** Positions of atoms whose values are looked up. */
  readonly keys: ReadonlySet<number>;
  /** Filters by the values of their keys, in the order of atoms. */
  readonly filters: ReadonlyMap<string, number>;
  /** The lowest number of a filter in it. */
  readonly first: number;
}

/** `each`: a program for each filter, as BPF has it; `collapsed`: one for filters that differ in values only, as MPF has it. @public for experiments of your own */
export type InterpreterStyle = 'each' | 'collapsed';

/** Filters that are interpreted, one step at a time. @public for experiments of your own */
export class InterpretedFilters {
  readonly #programs: readonly Program[];
  readonly #level: 0 | 1 | 2;

  /** @throws ExokernelError USAGE for a filter that makes no sense */
  constructor(filters: readonly Filter[], style: InterpreterStyle, costs: CostLevel = 'central') {
    for (const filter of filters) requireFilter(filter);
    this.#level = ({ low: 0, central: 1, high: 2 } as const)[costs];
    const groups: number[][] = [];
    for (const [i, filter] of filters.entries()) {
      const group = style === 'each' ? undefined : groups.find(([first]) => sameShape(filters[first as number] as Filter, filter));
      if (group === undefined) groups.push([i]);
      else group.push(i);
    }
    this.#programs = groups.map((group) => programOf(filters, group));
  }

  /** Runs all programs that can still say something. */
  run(packet: Uint8Array): Verdict {
    let [best, instructions] = [-1, 0];
    for (const program of this.#programs) {
      if (best >= 0 && best < program.first) break;
      const verdict = this.#interpret(program, packet);
      instructions += verdict.instructions;
      if (verdict.filter >= 0 && (best < 0 || verdict.filter < best)) best = verdict.filter;
    }
    return { filter: best, instructions };
  }

  #interpret({ common, keys, filters }: Program, packet: Uint8Array): Verdict {
    const cost = (name: keyof typeof COST) => COST[name][this.#level];
    let instructions = cost('start');
    const over = (filter: number): Verdict => ({ filter, instructions: instructions + cost('return') });
    let base = 0;
    const values: number[] = [];
    for (const [i, atom] of common.entries()) {
      const { offset, size, mask } = atom;
      const loaded = fieldOf(packet, base + offset, size);
      if (atom.kind === 'shift') instructions += cost('shift');
      else instructions += cost(`load${size}`) + (mask === 2 ** (8 * size) - 1 ? 0 : cost('and'));
      if (loaded < 0) return over(-1);
      const value = masked(loaded, mask);
      if (atom.kind === 'shift') {
        base += value * atom.scale;
      } else if (keys.has(i)) {
        instructions += cost('store');
        values.push(value);
      } else {
        instructions += cost('jump');
        if (value !== atom.value) return over(-1);
      }
    }
    if (keys.size > 0) instructions += cost('match') + keys.size * cost('matchWord');
    return over(filters.get(values.join()) ?? -1);
  }
}

function sameShape(a: Filter, b: Filter): boolean {
  return a.length === b.length && a.every((atom, i) => sameTest(atom, b[i] as Atom));
}

function programOf(all: readonly Filter[], group: readonly number[]): Program {
  const members = group.map((i) => all[i] as Filter);
  const [common = []] = members;
  const differs = (i: number) => members.some((filter) => (filter[i] as Key).value !== (common[i] as Key).value);
  const keys = new Set(common.flatMap(({ kind }, i) => (kind === 'equal' && differs(i) ? [i] : [])));
  const filters = new Map<string, number>();
  for (const i of group) {
    const key = [...keys].map((position) => ((all[i] as Filter)[position] as Key).value).join();
    if (!filters.has(key)) filters.set(key, i);
  }
  return { common, keys, filters, first: group[0] as number };
}
