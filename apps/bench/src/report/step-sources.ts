import { EpollStepSources } from '@rpal/epoll';
import { HwStepSources, type Step } from '@rpal/hw-x86';
import { IpcStepSources } from '@rpal/ipc';
import { KernelStepSources } from '@rpal/kernel';
import { LibStepSources } from '@rpal/librpal';
import { MmStepSources } from '@rpal/mm';
import { RpalStepSources } from '@rpal/rpal-core';
import { SchedStepSources } from '@rpal/sched';
import { VfsStepSources } from '@rpal/vfs';

const SOURCES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '@rpal/hw-x86': HwStepSources,
  '@rpal/mm': MmStepSources,
  '@rpal/sched': SchedStepSources,
  '@rpal/vfs': VfsStepSources,
  '@rpal/ipc': IpcStepSources,
  '@rpal/epoll': EpollStepSources,
  '@rpal/kernel': KernelStepSources,
  '@rpal/rpal-core': RpalStepSources,
  '@rpal/librpal': LibStepSources,
  '@rpal/librpal/O2': LibStepSources,
};

/** Where the numbers of a step come from: what it says itself, or the table of its package. */
export function sourceOf({ name, source }: Step): string {
  const [owner = '', key = ''] = name.split(':');
  return source ?? SOURCES[owner]?.[key] ?? 'no source is given';
}
