import { done, exactly } from '@rpal/kernel';
import { type Operation, touched } from './operation.js';

const SIZES = [32, 4096, 8192, 16_384, 65_536, 262_144, 1_048_576];
const LARGEST = 1_048_576;

/** One call that copies between the memory of two processes. @param pieces there: offset and length of each */
function copy(name: string, write: boolean, pieces: readonly (readonly [number, number])[]): Operation {
  return {
    name,
    *prepare(p) {
      const there = yield* touched(p, LARGEST + 4096);
      const here = yield* touched(p, LARGEST + 4096);
      const child = done(
        'fork',
        yield* p.fork(function* (other) {
          yield* other.sleep(1e12);
        }),
      );
      // The pages here are the own ones again, as in the counted program.
      yield* touchAgain(here);
      function* touchAgain(at: number): Generator<void, void> {
        for (let i = 0; i < LARGEST; i += 4096) yield* p.store8(at + i, 2);
      }
      const length = pieces.reduce((sum, [, bytes]) => sum + bytes, 0);
      const local = [{ address: here, length }];
      const remote = pieces.map(([offset, bytes]) => ({ address: there + offset, length: bytes }));
      return {
        *body() {
          const call = write ? p.processVmWritev(child, local, remote) : p.processVmReadv(child, local, remote);
          exactly('process_vm', yield* call, length);
        },
      };
    },
  };
}

/** process_vm_readv and process_vm_writev. */
export const vmOperations: readonly Operation[] = [
  ...SIZES.flatMap((size) => [
    copy(`process_vm_readv: ${size} B`, false, [[0, size]]),
    copy(`process_vm_writev: ${size} B`, true, [[0, size]]),
  ]),
  copy('process_vm_readv: 8192 B in two pieces there', false, [
    [0, 4096],
    [65_536, 4096],
  ]),
  copy('process_vm_readv: 4096 B across two pages there', false, [[2048, 4096]]),
];
