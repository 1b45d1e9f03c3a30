import { bus } from './list/bus.ts';
import { epoll } from './list/epoll.ts';
import { hwX86 } from './list/hw-x86.ts';
import { ipc } from './list/ipc.ts';
import { kernel } from './list/kernel.ts';
import { mm } from './list/mm.ts';
import { amdNmi, mshare, noMpk } from './list/plugins.ts';
import { explore, librpal, rpalCore } from './list/rpal.ts';
import { sched } from './list/sched.ts';
import { vfs } from './list/vfs.ts';
import type { Group } from './mutant.ts';

/** Every mutant, by package, from the lowest to the highest. */
export const groups: readonly Group[] = [bus, hwX86, mm, sched, vfs, ipc, epoll, kernel, rpalCore, librpal, explore, mshare, amdNmi, noMpk];
