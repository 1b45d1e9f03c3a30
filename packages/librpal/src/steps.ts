import { defineSteps, type Primitive, type StepDefinition, type StepSources } from '@rpal/hw-x86';

/** What a compiler made of the library. A program is linked with one of them: `unoptimised`, as the RFC's sample is, or `optimised`. */
export interface LibraryBuild {
  /** The compiler's option, without its dash. */
  readonly name: 'O0' | 'O2';
  readonly steps: LibSteps;
}

/** Instructions of a step, and its hardware events. */
export type Counts = readonly [instructions: number, events?: Partial<Readonly<Record<Primitive, number>>>];

/**
 * Each step is atomic in the library's protocol. Saving or restoring the floating-point control words is half of a pair. The instructions of
 * the stack switch itself, 24 of them, are in the price of `stackSwitch`; those of calls and returns are in the count.
 */
const COUNTED = {
  writeEnter: [312, { rdpkru: 1, fpControl: 0.5 }],
  openPeer: [95, { rdpkru: 1 }],
  findReceiver: [20],
  fdGet: [111, { lockedOp: 1 }],
  queueLock: [27, { lockedOp: 1 }],
  dataPut: [197],
  readyAppend: [43, { lockedOp: 2 }],
  queueUnlock: [55, { lockedOp: 2 }],
  callBegin: [34, { lockedOp: 1 }],
  callStamp: [10, { rdtsc: 1 }],
  callJump: [69, { stackSwitch: 1, mispredict: 1 }],
  arrive: [82, { rdpkru: 1, rdfsbase: 1, wrfsbase: 1 }],
  collectBegin: [41, { lockedOp: 1 }],
  collectOne: [239, { lockedOp: 4 }],
  collectEnd: [43, { mispredict: 1 }],
  readPtrs: [298, { lockedOp: 3 }],
  waitEnter: [166, { fpControl: 1 }],
  waitJump: [0, { stackSwitch: 1 }],
  saveContext: [70],
  armWait: [52, { fpControl: 0.5 }],
  returnDecide: [9, { lockedOp: 1 }],
  returnKey: [3],
  returnBase: [2, { wrfsbase: 1 }],
  returnJump: [2, { stackSwitch: 1 }],
  dummyRead: [63],
  callEnd: [62, { rdtsc: 1, lockedOp: 1, mispredict: 1 }],
  writeLeave: [57, { fpControl: 0.5, mispredict: 6 }],
  // What the way there and the way back find cold: see `Warmth`.
  callReload: [0, { reload: 808 }],
} as const satisfies Record<string, Counts>;

/** Derived from the counts: the way back as the way there, by instructions, and lines of code by the length of an instruction. */
const DERIVED = {
  waitReload: [0, { reload: 199 }],
  callRefetch: [0, { codeLine: 95 }],
  waitRefetch: [0, { codeLine: 28 }],
} as const satisfies Record<string, Counts>;

/** Not counted: a message does not take these steps. */
const ESTIMATED = {
  queueSpin: { cause: 'library', mode: 'user', instructions: 4, events: { pause: 1 }, status: 'estimated' },
  outPut: { cause: 'library', mode: 'user', instructions: [20, 60, 100], status: 'estimated' },
  setup: { cause: 'library', mode: 'user', instructions: [200, 500, 1000], status: 'estimated' },
} as const satisfies Record<string, StepDefinition>;

type CountedStep = keyof typeof COUNTED;
type DerivedStep = keyof typeof DERIVED;

/** Ids of the steps of a build. */
export type LibSteps = Readonly<Record<CountedStep | DerivedStep | keyof typeof ESTIMATED, number>>;

/** Defines the steps of a build. @param owner what their names begin with */
export function defineBuild(
  owner: string,
  name: LibraryBuild['name'],
  counted: Readonly<Record<CountedStep, Counts>>,
  derived: Readonly<Record<DerivedStep, Counts>>,
): LibraryBuild {
  const table: Record<string, StepDefinition> = { ...ESTIMATED };
  const add = (counts: Readonly<Record<string, Counts>>, status: 'counted' | 'derived'): void => {
    for (const [key, [instructions, events = {}]] of Object.entries(counts)) {
      const perByte = key === 'dataPut' || key === 'readPtrs' ? ({ perByte: 'copy' } as const) : {};
      table[key] = { cause: 'library', mode: 'user', instructions, events, ...perByte, status };
    }
  };
  add(counted, 'counted');
  add(derived, 'derived');
  return { name, steps: defineSteps(owner, table as Record<keyof LibSteps, StepDefinition>) };
}

/** The library without optimisation, as the Makefile of the RFC's sample builds it. */
export const unoptimised: LibraryBuild = defineBuild('@rpal/librpal', 'O0', COUNTED, DERIVED);

/** Its steps. */
export const LibStep: LibSteps = unoptimised.steps;

const SINGLE_STEPS =
  'the library of patch 35, compiled by gcc 12.2 and single-stepped over whole messages; key instructions were counted by the stepper';

/** Where the numbers come from. */
export const LibStepSources: StepSources<typeof LibStep> = /* @__PURE__ */ sources();

function sources(): StepSources<typeof LibStep> {
  const counted = Object.fromEntries(Object.keys(COUNTED).map((name) => [name, SINGLE_STEPS]));
  return {
    ...counted,
    callReload: `memory operands of the way there; ${SINGLE_STEPS}`,
    waitReload: 'memory operands of the way back, taken to be as frequent as on the way there',
    callRefetch: 'lines of code of the way there: instructions without repeated ones, 3.8 bytes each, and parts of lines',
    waitRefetch: 'lines of code of the way back, likewise',
    queueSpin: 'operations read off patch 35',
    outPut: 'as dataPut, less its copy: not counted',
    setup: 'operations read off patch 35',
  };
}
