/**
 * For each of the 35 patches a change of one place that takes out what the patch does, and the test that then fails: the proof of what
 * `patches` of @rpal/rpal-core says of its tests. `pnpm patches` runs them all.
 */
export interface PatchMutant {
  readonly patch: number;
  /** Source file, below the root of the repository. */
  readonly file: string;
  /** Text that occurs exactly once in it. */
  readonly text: string;
  /** What stands there without the patch. */
  readonly without: string;
  /** Only tests whose names match are run; all of the row's file if left out. */
  readonly named?: string;
}

const core = (path: string): string => `packages/rpal-core/src/${path}.ts`;

export const patchMutants: readonly PatchMutant[] = [
  {
    patch: 1,
    file: core('plugin'),
    text: '    bus.declare(seams);\n',
    without: '    if (machine !== null) return;\n',
  },
  { patch: 2, file: core('services/service'), text: '    this.key = key;\n', without: '    this.key = 0;\n' },
  { patch: 3, file: core('rpal'), text: '    if (id >= 0) this.#ids[id] = true;\n', without: '' },
  { patch: 4, file: core('process/lifecycle'), text: '  child.rpal.service = service;\n', without: '' },
  {
    patch: 5,
    file: core('plugin'),
    text: 'return service === null ? layout : sliceLayout(layout, service, platform.rng);',
    without: 'return layout;',
  },
  {
    patch: 6,
    file: core('calls/proc-rpal'),
    text: 'return putUser32(cpu, thread.memory, argument, service.id);',
    without: 'return -Errno.EINVAL;',
  },
  { patch: 7, file: core('memory/shared-pages'), text: '  service.sharedPages.push(shared);\n', without: '' },
  { patch: 8, file: core('threads/threads'), text: '  adopt(thread, service, data, RpalFlag.SENDER);\n', without: '' },
  {
    patch: 9,
    file: core('memory/copied-entries'),
    text: '  memory.write32(target, memory.read32(source) | RPAL_IGNORE);\n',
    without: '',
  },
  { patch: 10, file: core('calls/requests'), text: '  service.enabled = false;\n', without: '' },
  { patch: 11, file: core('calls/requests'), text: '  entry.type |= bit;\n', without: '' },
  { patch: 12, file: core('calls/requests'), text: '    peer.deadKeys.set(service.id, service.key);\n', without: '' },
  { patch: 13, file: core('memory/tlb-union'), text: '    targets.sharers.push(peer.mm);\n', without: '', named: 'tlb-range-filter' },
  {
    patch: 14,
    file: core('recovery/fault'),
    text: 'return shareFault(rpal, cpu, service, owner, address, code);',
    without: 'return undefined;',
  },
  {
    patch: 15,
    file: core('threads/states'),
    text: '  if (!rpal.fixes(15)) return WakeAnswer.ALLOW;\n',
    without: '  return WakeAnswer.ALLOW;\n',
    named: 'nothing is found',
  },
  { patch: 16, file: core('switch/cpu-lock'), text: '  thread.affinity = rpal.only(cpu);\n', without: '' },
  {
    patch: 17,
    file: core('switch/lazy-switch'),
    text: '  for (const entry of peer.fsBases) if (entry.fsBase === fsBase) return entry.thread;\n',
    without: '',
  },
  { patch: 18, file: 'packages/sched/src/switch/directed-switch.ts', text: '  setNext(rq, next);\n', without: '' },
  {
    patch: 19,
    file: core('switch/lazy-switch'),
    text: '  pick(rpal, cpu, sender, receiver);\n',
    without: '',
  },
  {
    patch: 20,
    file: core('switch/kernel-return'),
    text: '    const old = exchange(cpu, rcc + Rcc.senderState, SenderState.KERNEL_RET);\n',
    without: '    const old: number = SenderState.CALL;\n',
  },
  {
    patch: 21,
    file: core('plugin'),
    text: 'if (everyKind || kind !== EntryKind.COMPAT) onKernelEntry(state, cpu, rpalTask(thread));',
    without: '',
  },
  {
    patch: 22,
    file: core('recovery/recovery'),
    text: '  moveReceiver(rpal, cpu, rcc, 12, calling, ReceiverState.WAIT);\n',
    without: '',
    named: '12, s4',
  },
  { patch: 23, file: core('plugin'), text: '        child.affinity = old;\n', without: '' },
  {
    patch: 24,
    file: core('switch/lazy-switch'),
    text: '  if (rpal.criticalSections && receiver.rpal.service?.inRetSection(ip) === true) returnIsDecided(rpal, cpu, thread, receiver);\n  else ',
    without: '  ',
    named: 'critical-section fix-up S->R',
  },
  {
    patch: 25,
    file: core('memory/pkey'),
    text: 'return wanted >= 0 && wanted <= 15 ? wanted : service.id % 16;',
    without: 'return 0;',
  },
  { patch: 26, file: core('memory/pkey'), text: '      rekey(cpu, service, key);\n', without: '' },
  {
    patch: 27,
    file: core('switch/epoll'),
    text: 'return load(cpu, thread.rpal.role.rcc + Rcc.epPollMagic) === RPAL_EP_POLL_MAGIC;',
    without: 'return false;',
  },
  {
    patch: 28,
    file: core('calls/fd-map'),
    text: '  const low = putUser32(cpu, memory, result, end.fd);\n',
    without: '  const low = 0;\n',
  },
  {
    patch: 29,
    file: core('plugin'),
    text: 'return service.pkuOn === PkuOn.FINISH || !state.fixes(29) ? service.pkey : key;',
    without: 'return service.pkey;',
    named: 'patch 29 left out',
  },
  {
    patch: 30,
    file: core('plugin'),
    text: '      if (parent.rpal.service !== null && state.fixes(30)) child.pkru = cpu.mmu.pkru;\n',
    without: '',
    named: 'patch 30 left out',
  },
  {
    patch: 31,
    file: core('threads/waker'),
    text: '  for (const thread of service.receivers) if (needsWaking(rpal, cpu, thread)) due.push(thread);\n',
    without: '',
  },
  { patch: 32, file: 'plugins/amd-nmi/src/plugin.ts', text: 'if (fix && switched) {', without: 'if (!fix && switched) {' },
  {
    patch: 33,
    file: core('switch/time-slice'),
    text: '  memory.write64(sender.scc + Scc.totalTime, memory.read64(sender.scc + Scc.totalTime) + slice);\n',
    without: '',
  },
  {
    patch: 34,
    file: core('switch/fast-epoll-wait'),
    text: '  if (failed < 0 || epoll === null || thread.signalPending || epoll.eventsAvailable || pending !== 0 || timeout === 0) return;\n',
    without: '  if (timeout > -2 || epoll === null) return;\n',
    named: 'patch 34 left out',
  },
  {
    patch: 35,
    file: 'packages/librpal/src/call/write-ptrs.ts',
    text: '    memory.write32(entry + FdRecord.tail, (tail + this.length) | 0);\n',
    without: '',
  },
];
