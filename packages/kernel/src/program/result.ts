import { errnoName } from '@rpal/uapi';
import { MachineError } from '../errors.js';

/** For a call whose result is a descriptor, an address, a count or 0. @returns `result`. @throws MachineError CALL_FAILED if it is a negative errno @public for programs */
export function done(call: string, result: number): number {
  if (result < 0) throw new MachineError('CALL_FAILED', `${call} failed with ${errnoName(result)}`);
  return result;
}

/** For a call that has one good result, `wanted`. @throws MachineError CALL_FAILED if it is another @public for programs */
export function exactly(call: string, result: number, wanted: number): void {
  if (result !== wanted)
    throw new MachineError('CALL_FAILED', `${call} came back with ${result < 0 ? errnoName(result) : result}, not ${wanted}`);
}
