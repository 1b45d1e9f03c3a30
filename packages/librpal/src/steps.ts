import { defineSteps, type Primitive, type StepDefinition, type StepSources } from '@rpal/hw-x86';

/** How the library was compiled: `O0` as the Makefile of the RFC's sample does, without optimisation, or `O2`. */
export type LibraryBuild = 'O0' | 'O2';

/** Both builds, as their names are written. */
export const LIBRARY_BUILDS: readonly LibraryBuild[] = ['O0', 'O2'];

type Events = Partial<Readonly<Record<Primitive, number>>>;

/** Instructions of a step at -O0 and at -O2, its hardware events, and those at -O2 where they are others. */
type Counts = readonly [unoptimised: number, optimised: number, events?: Events, optimisedEvents?: Events];

/**
 * Each step is atomic in the library's protocol. Saving or restoring the floating-point control words is half of a pair. The instructions of
 * the stack switch itself, 24 of them, are in the price of `stackSwitch`; those of calls and returns are in the count.
 */
const COUNTED = {
  writeEnter: [312, 164, { rdpkru: 1, fpControl: 0.5 }],
  openPeer: [95, 18, { rdpkru: 1 }],
  findReceiver: [20, 11],
  fdGet: [111, 43, { lockedOp: 1 }],
  queueLock: [27, 6, { lockedOp: 1 }],
  dataPut: [197, 103],
  readyAppend: [43, 15, { lockedOp: 2 }],
  queueUnlock: [55, 13, { lockedOp: 2 }],
  callBegin: [34, 11, { lockedOp: 1 }],
  callStamp: [10, 5, { rdtsc: 1 }],
  callJump: [69, 23, { stackSwitch: 1, mispredict: 1 }],
  arrive: [82, 25, { rdpkru: 1, rdfsbase: 1, wrfsbase: 1 }],
  collectBegin: [41, 8, { lockedOp: 1 }],
  collectOne: [239, 84, { lockedOp: 4 }],
  collectEnd: [43, 30, { mispredict: 1 }],
  readPtrs: [298, 158, { lockedOp: 3 }],
  waitEnter: [166, 92, { fpControl: 1 }],
  waitJump: [0, 0, { stackSwitch: 1 }],
  saveContext: [70, 24],
  armWait: [52, 30, { fpControl: 0.5 }],
  returnDecide: [9, 6, { lockedOp: 1 }],
  returnKey: [3, 3],
  returnBase: [2, 2, { wrfsbase: 1 }],
  returnJump: [2, 2, { stackSwitch: 1 }],
  dummyRead: [63, 63],
  callEnd: [62, 21, { rdtsc: 1, lockedOp: 1, mispredict: 1 }],
  writeLeave: [57, 46, { fpControl: 0.5, mispredict: 6 }, { fpControl: 0.5, mispredict: 4 }],
  // What the way there and the way back find cold: see `Warmth`.
  callReload: [0, 0, { reload: 808 }, { reload: 205 }],
} as const satisfies Record<string, Counts>;

/** Derived from the counts: the way back as the way there, by instructions, and lines of code by the length of an instruction. */
const DERIVED = {
  waitReload: [0, 0, { reload: 199 }, { reload: 67 }],
  callRefetch: [0, 0, { codeLine: 95 }, { codeLine: 45 }],
  waitRefetch: [0, 0, { codeLine: 28 }, { codeLine: 16 }],
} as const satisfies Record<string, Counts>;

/** Not counted: a message does not take these steps. */
const ESTIMATED = {
  queueSpin: { cause: 'library', mode: 'user', instructions: 4, events: { pause: 1 }, status: 'estimated' },
  outPut: { cause: 'library', mode: 'user', instructions: [20, 60, 100], status: 'estimated' },
  setup: { cause: 'library', mode: 'user', instructions: [200, 500, 1000], status: 'estimated' },
} as const satisfies Record<string, StepDefinition>;

type StepName = keyof typeof COUNTED | keyof typeof DERIVED | keyof typeof ESTIMATED;

/** Ids of the steps of one build. */
export type LibSteps = Readonly<Record<StepName, number>>;

function stepsOf(owner: string, build: LibraryBuild): LibSteps {
  const steps: Record<string, StepDefinition> = { ...ESTIMATED };
  for (const [table, status] of [
    [COUNTED, 'counted'],
    [DERIVED, 'derived'],
  ] as const) {
    for (const [name, [unoptimised, optimised, events = {}, optimisedEvents = events]] of Object.entries<Counts>(table)) {
      const counts = build === 'O0' ? { instructions: unoptimised, events } : { instructions: optimised, events: optimisedEvents };
      const perByte = name === 'dataPut' || name === 'readPtrs' ? ({ perByte: 'copy' } as const) : {};
      steps[name] = { cause: 'library', mode: 'user', ...counts, ...perByte, status };
    }
  }
  return defineSteps(owner, steps as Record<StepName, StepDefinition>);
}

/** Steps of the library as the RFC's sample builds it. */
export const LibStep: LibSteps = stepsOf('@rpal/librpal', 'O0');

/** The same, compiled with -O2. @public for reports of programs that are linked with it */
export const LibStepO2: LibSteps = stepsOf('@rpal/librpal/O2', 'O2');

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
