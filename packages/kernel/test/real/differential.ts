import { type Call, lineOf, ModelWorkers } from './model-workers.js';
import { type Draw, randomCall } from './random-program.js';
import type { RealKernel } from './real-kernel.js';

/** A program on which model and kernel do not agree, as short as could be made. */
export interface Difference {
  readonly seed: number;
  readonly report: string;
}

/** What the model answers to the calls of a program. */
interface Execution {
  readonly calls: Call[];
  readonly answers: string[];
}

/** Draws from a seed (splitmix32). */
function stream(seed: number): Draw {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % below;
  };
}

/** Draws a program of `length` calls, each from the state that the model is in by then. */
export function randomProgram(seed: number, length: number): Execution {
  const draw = stream(seed);
  const workers = new ModelWorkers();
  const calls: Call[] = [];
  const answers: string[] = [];
  while (calls.length < length) {
    const call = randomCall(draw, workers);
    if (call === null) break;
    calls.push(call);
    answers.push(workers.execute(call).join(' | '));
  }
  return { calls, answers };
}

/** Executes those of `wanted` that can be executed in the state the model is in by then. */
function replay(wanted: readonly Call[]): Execution {
  const workers = new ModelWorkers();
  const calls: Call[] = [];
  const answers: string[] = [];
  for (const call of wanted) {
    if (!workers.idle.includes(call.process)) continue;
    if (call.call === 'fork' && !workers.free.includes(call.args[0] as number)) continue;
    calls.push(call);
    answers.push(workers.execute(call).join(' | '));
  }
  return { calls, answers };
}

/**
 * Index of the first call that the two answer differently, or -1. A call that lets two others go on at the same time starts
 * a race, of which one may lose what it was woken for and wait on: if the outcome is another one on the real kernel,
 * nothing after it can be compared.
 */
function firstDifference({ answers }: Execution, observed: readonly string[][]): number {
  const at = answers.findIndex((answer, i) => answer !== observed[i]?.join(' | '));
  if (at < 0) return at;
  const [here, there] = [goneOn(answers[at] as string), goneOn((observed[at] ?? []).join(' | '))];
  return Math.min(here, there) > 0 && Math.max(here, there) > 1 ? -1 : at;
}

/** How many processes beside the caller have gone on. */
function goneOn(answer: string): number {
  return (answer.match(/\+ /g) ?? []).length;
}

/** Compares a random program per seed. @returns the number of calls, and the first difference */
export function compare(real: RealKernel, seeds: readonly number[], length: number): { calls: number; differences: Difference[] } {
  const programs = seeds.map((seed) => randomProgram(seed, length));
  const observed = real.run(programs.map(({ calls }) => calls));
  const differences: Difference[] = [];
  programs.forEach((program, i) => {
    const at = firstDifference(program, observed[i] as string[][]);
    if (at < 0) return;
    differences.push({ seed: seeds[i] as number, report: report(real, shrink(real, program.calls.slice(0, at + 1))) });
  });
  return { calls: programs.reduce((sum, { calls }) => sum + calls.length, 0), differences };
}

/** Leaves calls out, many at first, as long as a difference remains. */
function shrink(real: RealKernel, calls: readonly Call[]): Call[] {
  let current = [...calls];
  for (let size = current.length >> 1; size >= 1; size >>= 1) {
    for (let from = 0; from < current.length; ) {
      const candidate = replay([...current.slice(0, from), ...current.slice(from + size)]);
      const at = firstDifference(candidate, real.run([candidate.calls])[0] as string[][]);
      if (at >= 0 && at + 1 < current.length) current = candidate.calls.slice(0, at + 1);
      else from += size;
    }
  }
  return current;
}

function report(real: RealKernel, calls: readonly Call[]): string {
  const { answers } = replay(calls);
  const [observed] = real.run([calls]);
  return calls
    .map((call, i) => {
      const there = observed?.[i]?.join(' | ');
      return answers[i] === there ? `${lineOf(call)}  ->  ${there}` : `${lineOf(call)}  ->  model ${answers[i]}, Linux ${there}`;
    })
    .join('\n');
}
