import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Program } from '@rpal/kernel';
import { LinuxCall, MapFlag, Prot } from '@rpal/uapi';
import { expect } from 'vitest';
import { callInC } from '../../../kernel/test/real/call-in-c.js';
import { compile } from '../../../kernel/test/real/compile.js';
import type { CallName } from '../../src/index.js';
import { run } from '../support.js';

/** Where both sides have 64 KiB of memory. */
export const MEMORY = 0x100_0000_0000;
/** An address at which there is none. */
export const NOWHERE = 0x200_0000_0000;

/** One thing that both sides do. */
export type Step =
  | readonly [call: CallName, ...args: number[]]
  | { readonly poke: number; readonly words: readonly number[] }
  | { readonly peek: number; readonly bytes: number }
  | 'fork';

/** Stores 32-bit words. */
export const poke = (address: number, ...words: number[]): Step => ({ poke: address, words });
export const peek = (address: number, bytes: number): Step => ({ peek: address, bytes });
/** The two words of a 64-bit number. */
export const long = (value: number): [number, number] => [(value % 2 ** 32) | 0, Math.floor(value / 2 ** 32)];

let driver: string | null | undefined;

/** The program for the real kernel; null if there is no Linux, or no compiler, here. */
function compiled(): string | null {
  if (driver !== undefined) return driver;
  driver = null;
  const binary = join(mkdtempSync(join(tmpdir(), 'rpal-probe-')), 'probe');
  const missing = compile(fileURLToPath(new URL('./probe.c', import.meta.url)), binary);
  if (missing === null && hasRights()) driver = binary;
  return driver;
}

/** Root with all capabilities, or all but CAP_SYS_RESOURCE, which both sides do without. */
function hasRights(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return process.getuid?.() === 0 && (BigInt(`0x${effective}`) | (1n << SYS_RESOURCE)) === 2n ** 41n - 1n;
}

const SYS_RESOURCE = 24n;
const WITHOUT = -1 & ~(1 << 24);

/** Puts CAP_SYS_RESOURCE down. */
const PRELUDE: readonly Step[] = [
  ['prctl', 24, 24],
  poke(MEMORY, 0x2008_0522, 0, WITHOUT, WITHOUT, 0, -1, -1, 0),
  ['capset', MEMORY, MEMORY + 8],
  poke(MEMORY, 0, 0, 0, 0, 0, 0, 0, 0),
];

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (words: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(words, (word) => word | 0).buffer);

/** What the model answers, step by step. */
function onModel(steps: readonly Step[]): string[] {
  const answers: string[] = [];
  run(function* (p) {
    // The driver has its standard streams there.
    for (let fd = 0; fd < 3; fd++) yield* p.eventfd();
    yield* p.mmap(MEMORY, 0x10000, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.FIXED);
    yield* perform(p, steps, answers);
  });
  return answers;
}

function* perform(p: Program, steps: readonly Step[], answers: string[]): Generator<void, void> {
  for (const [index, step] of steps.entries()) {
    if (step === 'fork') {
      yield* p.fork((child) => perform(child, steps.slice(index + 1), answers));
      yield* p.wait();
      return;
    }
    if ('poke' in step) {
      yield* p.storeBytes(step.poke, bytesOf(step.words));
      answers.push('0');
    } else if ('peek' in step) {
      const bytes = new Uint8Array(step.bytes);
      yield* p.loadBytes(step.peek, bytes);
      answers.push(hexOf(bytes));
    } else {
      const [name, ...args] = step;
      answers.push(String(yield* callInC(p, LinuxCall[name], args)));
    }
  }
}

function onLinux(binary: string, steps: readonly Step[]): string[] {
  const lines = steps.map((step) => {
    if (step === 'fork') return 'fork';
    if ('poke' in step) return `poke ${step.poke} ${hexOf(bytesOf(step.words))}`;
    if ('peek' in step) return `peek ${step.peek} ${step.bytes}`;
    const [name, ...args] = step as readonly [CallName, ...number[]];
    return `call ${LinuxCall[name]} ${args.join(' ')}`;
  });
  const { stdout, status } = spawnSync(binary, { input: `${lines.join('\n')}\n`, encoding: 'utf8', timeout: 10_000 });
  expect(status, 'the program for the real kernel').toBe(0);
  return stdout.trimEnd().split('\n');
}

/** Does the same on the model and on the Linux at hand, and expects the same answers. */
export function sameAsLinux(...own: Step[]): void {
  const steps = [...PRELUDE, ...own];
  const ours = onModel(steps);
  const binary = compiled();
  if (binary === null) return;
  const told = steps.filter((step) => step !== 'fork');
  const name = (step: Step): string => {
    if (typeof step === 'string' || 'poke' in step || 'peek' in step) return JSON.stringify(step);
    const [call, ...args] = step;
    return `${call}(${args.join(', ')})`;
  };
  const theirs = onLinux(binary, steps);
  // What differs, and what came before it.
  const first = ours.findIndex((answer, index) => answer !== theirs[index]);
  const show = (answers: readonly string[]): string[] =>
    told.map((step, index) => `${name(step)} -> ${answers[index]}`).slice(Math.max(0, first - 12), first + 8);
  expect(show(ours)).toEqual(show(theirs));
  expect(ours.length).toBe(theirs.length);
}
