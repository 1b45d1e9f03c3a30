import { bench } from './list/bench.ts';
import { bus } from './list/bus.ts';
import { compare } from './list/compare.ts';
import { epoll } from './list/epoll.ts';
import { hwX86 } from './list/hw-x86.ts';
import { ipc } from './list/ipc.ts';
import { kernel } from './list/kernel.ts';
import { mm } from './list/mm.ts';
import { amdNmi, crossMemoryAttach, dune, exokernel, kernelBus, lockdep, mshare, multikernel, noMpk, pageFlip } from './list/plugins.ts';
import { posix } from './list/posix.ts';
import { explore, librpal, rpalCore } from './list/rpal.ts';
import { sched } from './list/sched.ts';
import { tmpfs } from './list/tmpfs.ts';
import { trace } from './list/trace.ts';
import { uapi } from './list/uapi.ts';
import { vfs } from './list/vfs.ts';
import type { Group } from './mutant.ts';

/** Every mutant, by package, from the lowest to the highest. */
export const groups: readonly Group[] = [
  bus,
  uapi,
  hwX86,
  mm,
  sched,
  vfs,
  ipc,
  epoll,
  kernel,
  posix,
  tmpfs,
  rpalCore,
  librpal,
  explore,
  mshare,
  amdNmi,
  noMpk,
  pageFlip,
  crossMemoryAttach,
  kernelBus,
  multikernel,
  dune,
  exokernel,
  lockdep,
  trace,
  compare,
  bench,
];
