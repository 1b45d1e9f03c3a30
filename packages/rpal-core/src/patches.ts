/** One of the 35 patches, and where it is. Paths are below `packages/`, or below `plugins/` where they begin so. */
export interface Patch {
  readonly patch: number;
  readonly title: string;
  /** The file that carries most of it. */
  readonly file: string;
  /** A test that fails without it: `pnpm patches` takes out what each patch does, and runs it. */
  readonly test: string;
}

/** The patches of RFC v2, in order. `docs/patches.md` is the same with remarks; a test keeps both true. */
export const patches: readonly Patch[] = [
  { patch: 1, title: 'Kbuild: rpal support', file: 'rpal-core/src/plugin.ts', test: 'rpal-core/test/plugin.test.ts' },
  { patch: 2, title: 'add struct rpal_service', file: 'rpal-core/src/services/service.ts', test: 'rpal-core/test/lifecycle.test.ts' },
  {
    patch: 3,
    title: 'add service registration interface',
    file: 'rpal-core/src/process/lifecycle.ts',
    test: 'rpal-core/test/lifecycle.test.ts',
  },
  {
    patch: 4,
    title: 'add member to task_struct and mm_struct',
    file: 'rpal-core/src/services/thread.ts',
    test: 'rpal-core/test/lifecycle.test.ts',
  },
  {
    patch: 5,
    title: 'enable virtual address space partitions',
    file: 'rpal-core/src/memory/partition.ts',
    test: 'rpal-core/test/partition.test.ts',
  },
  { patch: 6, title: 'add user interface', file: 'rpal-core/src/calls/proc-rpal.ts', test: 'rpal-core/test/ioctl.test.ts' },
  { patch: 7, title: 'enable shared page mmap', file: 'rpal-core/src/memory/shared-pages.ts', test: 'rpal-core/test/proc-file.test.ts' },
  {
    patch: 8,
    title: 'enable sender/receiver registration',
    file: 'rpal-core/src/threads/threads.ts',
    test: 'rpal-core/test/ioctl.test.ts',
  },
  {
    patch: 9,
    title: 'enable address space sharing',
    file: 'rpal-core/src/memory/copied-entries.ts',
    test: 'rpal-core/test/isolation.test.ts',
  },
  { patch: 10, title: 'allow service enable/disable', file: 'rpal-core/src/calls/requests.ts', test: 'rpal-core/test/ioctl.test.ts' },
  { patch: 11, title: 'add service request/release', file: 'rpal-core/src/calls/requests.ts', test: 'rpal-core/test/lifecycle.test.ts' },
  {
    patch: 12,
    title: 'add service disable notification',
    file: 'rpal-core/src/calls/proc-rpal.ts',
    test: 'rpal-core/test/proc-file.test.ts',
  },
  { patch: 13, title: 'add tlb flushing support', file: 'rpal-core/src/memory/tlb-union.ts', test: 'rpal-core/test/quirks.test.ts' },
  { patch: 14, title: 'enable page fault handling', file: 'rpal-core/src/recovery/fault.ts', test: 'rpal-core/test/isolation.test.ts' },
  { patch: 15, title: 'add sender/receiver state', file: 'rpal-core/src/threads/states.ts', test: 'explore/test/races.test.ts' },
  { patch: 16, title: 'add cpu lock interface', file: 'rpal-core/src/switch/cpu-lock.ts', test: 'rpal-core/test/cpu-lock.test.ts' },
  {
    patch: 17,
    title: 'add a mapping between fsbase and tasks',
    file: 'rpal-core/src/switch/lazy-switch.ts',
    test: 'rpal-core/test/quirks.test.ts',
  },
  { patch: 18, title: 'sched: pick a specified task', file: 'sched/src/switch/directed-switch.ts', test: 'rpal-core/test/quirks.test.ts' },
  { patch: 19, title: 'add lazy switch main logic', file: 'rpal-core/src/switch/lazy-switch.ts', test: 'librpal/test/time-lines.test.ts' },
  {
    patch: 20,
    title: 'add rpal_ret_from_lazy_switch',
    file: 'rpal-core/src/switch/kernel-return.ts',
    test: 'librpal/test/time-lines.test.ts',
  },
  {
    patch: 21,
    title: 'add kernel entry handling for lazy switch',
    file: 'rpal-core/src/switch/lazy-switch.ts',
    test: 'librpal/test/time-lines.test.ts',
  },
  { patch: 22, title: 'rebuild receiver state', file: 'rpal-core/src/recovery/recovery.ts', test: 'explore/test/state-tables.test.ts' },
  { patch: 23, title: 'resume cpumask when fork', file: 'rpal-core/src/plugin.ts', test: 'librpal/test/time-lines.test.ts' },
  { patch: 24, title: 'critical section optimization', file: 'rpal-core/src/switch/lazy-switch.ts', test: 'explore/test/pkru.test.ts' },
  { patch: 25, title: 'add MPK initialization and interface', file: 'rpal-core/src/memory/pkey.ts', test: 'rpal-core/test/ioctl.test.ts' },
  { patch: 26, title: 'enable MPK support', file: 'rpal-core/src/memory/pkey.ts', test: 'rpal-core/test/isolation.test.ts' },
  { patch: 27, title: 'add epoll support', file: 'rpal-core/src/switch/epoll.ts', test: 'librpal/test/time-lines.test.ts' },
  { patch: 28, title: 'add rpal_uds_fdmap() support', file: 'rpal-core/src/calls/fd-map.ts', test: 'rpal-core/test/ioctl.test.ts' },
  { patch: 29, title: 'fix race condition in pkru update', file: 'rpal-core/src/memory/pkey.ts', test: 'explore/test/races.test.ts' },
  { patch: 30, title: 'fix pkru setup when fork', file: 'rpal-core/src/plugin.ts', test: 'explore/test/races.test.ts' },
  { patch: 31, title: 'add receiver waker', file: 'rpal-core/src/threads/waker.ts', test: 'explore/test/state-tables.test.ts' },
  {
    patch: 32,
    title: 'fix unknown nmi on AMD CPU',
    file: 'plugins/amd-nmi/src/plugin.ts',
    test: 'plugins/amd-nmi/test/lazy-switch.test.ts',
  },
  { patch: 33, title: 'enable time slice correction', file: 'rpal-core/src/switch/time-slice.ts', test: 'librpal/test/time-lines.test.ts' },
  { patch: 34, title: 'enable fast epoll wait', file: 'rpal-core/src/switch/fast-epoll-wait.ts', test: 'explore/test/races.test.ts' },
  { patch: 35, title: 'add RPAL samples', file: 'librpal/src/librpal.ts', test: 'librpal/test/librpal.test.ts' },
];
