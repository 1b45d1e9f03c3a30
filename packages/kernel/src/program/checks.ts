import { shown } from '@rpal/bus';
import type { IoVec } from '@rpal/vfs';
import { MachineError } from '../errors.js';
import type { MessageHeader } from '../process/message-header.js';
import type { ProgramContext } from './program-context.js';

/** A program has made a call with an argument of a wrong type, which no program in C could. */
function wrong(context: ProgramContext, what: string): MachineError {
  const { name, pid } = context.thread.process;
  return new MachineError('INVALID_ARGUMENT', `${name} (process ${pid}): ${what}`);
}

/** @throws MachineError INVALID_ARGUMENT naming the first argument that is not a number */
export function refuseRegisters(context: ProgramContext, nr: number, registers: readonly unknown[]): never {
  const call = context.thread.process.kernel.syscalls.get(nr)?.name ?? `system call ${shown(nr)}`;
  if (!isNumber(nr)) throw wrong(context, `${shown(nr)} is not a system-call number`);
  const at = registers.findIndex((value) => !isNumber(value));
  throw wrong(context, `argument ${at + 1} of ${call} is ${shown(registers[at])}; give a number`);
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' && !Number.isNaN(value);
}

/** @throws MachineError INVALID_ARGUMENT */
export function refuseNumber(context: ProgramContext, what: string, value: unknown, wanted = 'a number'): never {
  throw wrong(context, `${what} is ${shown(value)}; give ${wanted}`);
}

/** A path or a name. @throws MachineError INVALID_ARGUMENT */
export function requireText(context: ProgramContext, call: string, text: unknown): string {
  if (typeof text !== 'string') throw wrong(context, `the name that ${call} was given is ${shown(text)}; give a string`);
  return text;
}

/** @throws MachineError INVALID_ARGUMENT */
export function requireBytes(context: ProgramContext, call: string, bytes: unknown): Uint8Array {
  if (!(bytes instanceof Uint8Array)) throw wrong(context, `the bytes of ${call} are ${shown(bytes)}; give a Uint8Array`);
  return bytes;
}

/** @throws MachineError INVALID_ARGUMENT */
export function requireVector(context: ProgramContext, call: string, segments: readonly IoVec[]): readonly IoVec[] {
  const good = Array.isArray(segments) && segments.every((segment) => isNumber(segment?.address) && isNumber(segment.length));
  if (!good) throw wrong(context, `the segments of ${call} are ${shown(segments)}; give an array of { address, length }`);
  return segments;
}

/** @throws MachineError INVALID_ARGUMENT */
export function requireObject<T>(context: ProgramContext, what: string, value: T, wanted: string): T {
  if (typeof value !== 'object' || value === null) throw wrong(context, `${what} is ${shown(value)}; give ${wanted}`);
  return value;
}

/** @throws MachineError INVALID_ARGUMENT */
export function requireHeader(context: ProgramContext, call: string, header: MessageHeader): MessageHeader {
  requireObject(context, `the header of ${call}`, header, 'an object with segments');
  requireVector(context, call, header.segments);
  return header;
}

/** @throws MachineError INVALID_ARGUMENT */
export function requireHandler(context: ProgramContext, handler: unknown): void {
  if (handler === 'default' || handler === 'ignore') return;
  if (typeof handler === 'function' && !Object.prototype.toString.call(handler).includes('Async')) return;
  throw wrong(context, `the handler of sigaction is ${shown(handler)}; give 'default', 'ignore' or a generator function`);
}
