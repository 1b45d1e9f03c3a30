import { profiles } from '@rpal/hw-x86';
import { createMachine, executable, type Machine, type MachineOptions, type Main, type Process, type Program } from '../src/index.js';

const [server] = profiles as [(typeof profiles)[number], ...(typeof profiles)[number][]];

/** The RFC's CPU with four cores instead of sixty-four: quick to build. */
export const fourCores = {
  ...server,
  topology: { ...server.topology, sockets: 1, coresPerSocket: 4, threadsPerCore: 1, coresPerCache: 4 },
};

export function smallMachine(options: MachineOptions = {}): Machine {
  return createMachine({ profile: fourCores, ...options });
}

/** Runs programs to their end, each begun on a CPU of its own, and returns how they ended. */
export function run(...mains: Main[]): Process[] {
  return runOn(smallMachine(), ...mains);
}

export function runOn(machine: Machine, ...mains: Main[]): Process[] {
  const processes = mains.map((main, index) => machine.spawn(executable(`program ${index}`, main), index));
  machine.run({ deaths: 'report' });
  return processes;
}

/** Bytes of a text, for `storeBytes`. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text that `length` bytes at `address` hold. */
export function* textAt(p: Program, address: number, length: number): Generator<void, string> {
  const into = new Uint8Array(length);
  if (length > 0) yield* p.loadBytes(address, into);
  return new TextDecoder().decode(into);
}

/** Writes a text to a descriptor. `buffer` is room for it. */
export function* say(p: Program, fd: number, buffer: number, text: string): Generator<void, number> {
  yield* p.storeBytes(buffer, bytes(text));
  return yield* p.write(fd, buffer, text.length);
}

/** Reads at most `most` bytes: their text, or the negative errno. */
export function* hear(p: Program, fd: number, buffer: number, most = 4096): Generator<void, string | number> {
  const n = yield* p.read(fd, buffer, most);
  return n < 0 ? n : yield* textAt(p, buffer, n);
}
