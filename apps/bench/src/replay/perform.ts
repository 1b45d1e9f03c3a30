import type { Program } from '@rpal/kernel';
import { Errno, Futex, LinuxCall } from '@rpal/uapi';
import { type CallShape, shapeOf } from './call-shapes.js';
import { put } from './guest-memory.js';
import { LaidCall } from './laid-call.js';
import { layStructure, storeTime } from './structures.js';
import { numberOf } from './trace-files.js';
import type { TracedCall } from './trace-line.js';
import type { Value } from './trace-value.js';
import { addressOf, memoryCalls } from './traced-memory.js';
import type { Outcome, TracedTask } from './traced-task.js';

const PAGE = 4096;
const AT_FDCWD = -100;
/** The largest buffer of a call that reads. */
const LARGEST = 1 << 25;

/** Makes one call of the trace, as the task that made it. @param modelPid the model's number of a process of the trace */
export function* perform(p: Program, task: TracedTask, traced: TracedCall, modelPid: (pid: number) => number): Generator<void, Outcome> {
  const call = traced.name === 'futex' ? { ...traced, args: futexRegisters(traced.args) } : traced;
  const laid = new LaidCall(p, task, call, modelPid);
  const ofMemory = memoryCalls[call.name];
  if (ofMemory !== undefined) return yield* ofMemory(laid);
  const { args } = shapeOf(call.name, numberOf(call.args[1])) as CallShape;
  for (const [i, shape] of args.entries()) laid.registers.push(yield* lay(laid, shape, i));
  if (call.name === 'futex') yield* prepareFutex(laid);
  return yield* laid.made(LinuxCall[call.name as keyof typeof LinuxCall]);
}

/** One argument. @returns its register */
function* lay(laid: LaidCall, shape: string, index: number): Generator<void, number> {
  const { p, call } = laid;
  const value = call.args[index];
  const isNull = value === undefined || (value.kind === 'number' && value.value === 0);
  switch (shape) {
    case 'int':
      return numberOf(value);
    case 'fd': {
      const fd = numberOf(value);
      return fd === AT_FDCWD ? fd : laid.descriptor(fd);
    }
    case 'pid': {
      const pid = numberOf(value);
      if (pid > 0) laid.ignored.add('process ids');
      return pid > 0 ? laid.modelPid(pid) : pid < -1 ? -laid.modelPid(-pid) : pid;
    }
    case 'addr':
      if (isNull) return 0;
      laid.ignored.add('addresses');
      return yield* addressOf(laid, numberOf(value), numberOf(call.args[index + 1]) || 8);
    case 'path':
      if (value?.kind === 'bytes') return yield* put(p, laid.scratch, ofModel(value.bytes, laid.modelPid));
      return isNull ? 0 : yield* addressOf(laid, numberOf(value), PAGE);
    case 'in':
      // A null pointer, or a number where others have a string.
      return value?.kind === 'bytes' ? yield* put(p, laid.scratch, value.bytes) : numberOf(value);
    case 'out':
      return isNull ? 0 : layOut(laid, value, numberOf(call.args[index + 1]));
    case 'any':
      if (isNull) return 0;
      laid.ignored.add('times, names and numbers of the computer');
      return yield* laid.cleared(PAGE);
    default:
      return isNull ? 0 : yield* layStructure(laid, shape, value, index);
  }
}

/** A path with numbers of processes and threads, as the model has them. */
function ofModel(path: Uint8Array, modelPid: (pid: number) => number): Uint8Array {
  const text = String.fromCharCode(...path);
  if (!text.startsWith('/proc/')) return path;
  const translated = text.replace(
    /(\/proc\/|\/task\/)(\d+)/g,
    (_all, before: string, pid: string) => `${before}${modelPid(Number(pid)) || pid}`,
  );
  return new TextEncoder().encode(translated);
}

/** Room that a call fills with bytes. */
function layOut(laid: LaidCall, value: Value, length: number): number {
  const { name, result } = laid.call;
  const at = laid.scratch.room(Math.min(Math.max(length, PAGE), LARGEST));
  if (value.kind !== 'bytes' || result === null || result <= 0) return at;
  // What getcwd returns counts the zero, too.
  laid.bytesAfterwards(at, value.bytes.subarray(0, name === 'getcwd' ? result - 1 : result), 'its data');
  return at;
}

/** The arguments of futex in the order of its registers: strace leaves those out that an operation does not have. */
function futexRegisters(args: readonly Value[]): readonly Value[] {
  const none: Value = { kind: 'number', value: 0 };
  const [address = none, operation = none, value = none, third = none, fourth = none] = args;
  switch (numberOf(operation) & 0x7f) {
    case Futex.WAIT_BITSET:
      return [address, operation, value, third, none, fourth];
    case Futex.WAKE_BITSET:
      return [address, operation, value, none, none, third];
    default:
      return args;
  }
}

/** The word of a wait is what the trace shows that it was: nobody executes the program's own stores. */
function* prepareFutex({ p, call: { args, result }, registers }: LaidCall): Generator<void, void> {
  const operation = numberOf(args[1]) & 0x7f;
  if (operation !== Futex.WAIT && operation !== Futex.WAIT_BITSET) return;
  const value = numberOf(args[2]);
  yield* p.store32(registers[0] as number, (result === -Errno.EAGAIN ? value + 1 : value) >>> 0);
  const timeout = args[3];
  if (timeout?.kind === 'struct') yield* storeTime(p, registers[3] as number, timeout);
}
