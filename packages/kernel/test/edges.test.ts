import { LinuxCall, Signal } from '@rpal/uapi';
import { afterAll, describe, expect, it } from 'vitest';
import { stream } from '../../../scripts/testing/draw.ts';
import { type EdgeCase, lineOf, randomCase } from './real/edge-cases.js';
import { compareEdges, RealEdges } from './real/edge-real.js';

/** Calls that are compared; more with the environment variable RPAL_EDGE_CALLS, others with RPAL_EDGE_SEED. */
const CALLS = Number(process.env.RPAL_EDGE_CALLS ?? 1000);
const SEED = Number(process.env.RPAL_EDGE_SEED ?? 1);

const real = new RealEdges();
afterAll(() => real.dispose());

/** Where the two are known to differ, and why: by the number of the call. */
const LISTED: ReadonlyMap<number, string> = new Map([
  [LinuxCall.open, 'there is no file system on this machine: paths are mere names, of any length'],
  [LinuxCall.openat, 'as open: nor are there directories to begin at'],
  [LinuxCall.unlink, 'as open'],
  [LinuxCall.execve, 'as open'],
  [LinuxCall.memfd_create, 'a name without an end is read up to where it faults, not up to 249 bytes'],
  [LinuxCall.shmctl, 'IPC_INFO, SHM_INFO and SHM_STAT are not there'],
  [LinuxCall.getsockopt, 'options that the model does not have'],
  [LinuxCall.setsockopt, 'options that the model does not have'],
  [LinuxCall.splice, 'regular files are spliced with the plugin @rpal/tmpfs only'],
  [LinuxCall.ioctl, 'commands of pidfds'],
  [LinuxCall.recvmsg, 'not understood yet: a header whose error the model finds later'],
  [LinuxCall.sendmsg, 'not understood yet: a header whose error the model finds later'],
  [LinuxCall.poll, 'an address beyond user memory is not refused if it stands for no descriptors'],
  [LinuxCall.ppoll, 'as poll'],
  [LinuxCall.select, 'sets are read bit by bit: an unknown descriptor is found before a set that is not there'],
  [LinuxCall.pwrite64, 'a file in memory ends at 8 TiB'],
  [LinuxCall.bind, 'names that the C library would not make'],
]);

/** A stop that another thread of the process may take first: whether the caller still gets to say so is a race. */
function stopsItself({ calls }: EdgeCase): boolean {
  const stops = new Set([Signal.STOP, Signal.TSTP, Signal.TTIN, Signal.TTOU].map(BigInt));
  return calls.some(({ registers }) => registers.some((register) => typeof register === 'bigint' && stops.has(register)));
}

describe('system calls with odd registers', () => {
  it('get the same answers from the model as from the Linux at hand, but for what is listed', { timeout: 7_200_000 }, ({ skip }) => {
    if (real.missing !== null) skip(real.missing);
    const draw = stream(SEED);
    const cases = Array.from({ length: CALLS }, () => randomCase(draw, 1));
    const differences = compareEdges(real, cases).filter(
      ({ case: made, at }) => !stopsItself(made) && !LISTED.has(made.calls[at]?.nr ?? made.calls.at(-1)?.nr ?? -1),
    );
    console.log(`${CALLS} calls with odd registers compared with the real kernel`);
    expect(differences.map(({ case: made, model, real: observed }) => `${lineOf(made)}: model ${model}, Linux ${observed}`)).toEqual([]);
  });
});
