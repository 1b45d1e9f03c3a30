import type { Group } from '../mutant.ts';

export const mm: Group = {
  package: 'packages/mm',
  tests: ['two-cpus', 'fault', 'fork', 'limits', 'folded', 'tlb-flush', 'huge-pages', 'pkeys', 'collapse', 'host-heap', 'layout'],
  mutants: [
    {
      kind: 'flush',
      text: 'if (wasLazy && (state.generations[state.asid] as number) < mm.tlbGeneration) this.#catchUp(cpu, state, mm);',
      mutated: '',
    },
    { kind: 'flush', text: 'mm.manager.tlb.flushPage(cpu, mm, address);', mutated: 'cpu.mmu.invlpg(address);' },
    { kind: 'flush', text: 'if (state.lazy) return false;', mutated: '' },
    { kind: 'flush', text: 'return targets.reachSharers && targets.sharers.includes(state.loaded as Space);', mutated: 'return false;' },
    { kind: 'flush', text: 'if (targets.trims && cpu !== targets.initiator) clearBit(targets.mm.cpuMask, cpu.id);', mutated: '' },
    { kind: 'cost', text: 'cpu.charge(i === 0 ? MmStep.flushSend : MmStep.flushTarget);', mutated: 'cpu.charge(MmStep.flushTarget);' },
    {
      kind: 'cost',
      text: 'cpu.chargeCycles(MmStep.flushWait, targets.acknowledged - cpu.clock);',
      mutated: 'cpu.chargeCycles(MmStep.flushWait, 0);',
    },
    { kind: 'cost', text: 'cpu.chargeTimes(MmStep.pageZero, HUGE_PAGE_PAGES - 1);', mutated: 'cpu.chargeTimes(MmStep.pageZero, 0);' },
    { kind: 'cost', text: 'cpu.chargeTimes(MmStep.faultBody, faults);', mutated: 'cpu.chargeTimes(MmStep.faultBody, 1);' },
    { kind: 'cost', text: 'else cpu.charge(MmStep.faultAround);', mutated: 'else {}' },

    {
      kind: 'key',
      text: '(rights & Pkey.DISABLE_ACCESS) !== 0 || (write && (rights & Pkey.DISABLE_WRITE) !== 0)',
      mutated: '(rights & Pkey.DISABLE_ACCESS) !== 0',
    },
    { kind: 'permission', text: 'return (code & FaultCode.present) === 0 && area.accessible;', mutated: 'return area.accessible;' },
    {
      kind: 'bound',
      text: '(guarded && start - below.end < STACK_GUARD_GAP)',
      mutated: '(guarded && start - below.end <= STACK_GUARD_GAP)',
    },
    { kind: 'bound', text: 'if (start < MMAP_MIN_ADDR ||', mutated: 'if (start < 0 ||' },
    {
      kind: 'errno',
      text: 'if (frame === -1) return faultSignal(Signal.BUS, SignalCode.BUS_ADRERR);',
      mutated: 'if (frame === -1) return faultSignal(Signal.SEGV, SignalCode.SEGV_MAPERR);',
    },
    {
      kind: 'errno',
      text: 'if (!area.accessible || pkruDenies(cpu, mm, area, write)) return -Errno.EFAULT;',
      mutated: 'if (!area.accessible) return -Errno.EFAULT;',
    },
    {
      kind: 'state',
      text: 'else if (write && (low & Pte.writable) === 0) result = copyOnWrite(cpu, mm, area, address, entry);',
      mutated: 'else if (write) result = copyOnWrite(cpu, mm, area, address, entry);',
    },
    { kind: 'state', text: '(frames.exclusive(frame) || solelyUsed(mm, address, frame))', mutated: 'frames.exclusive(frame)' },
    { kind: 'state', text: 'if (!write && mapAround(cpu, mm, area, object, address, entry)) return FAULT_RESOLVED;', mutated: '' },
    {
      kind: 'state',
      text: '} else if (frames.exclusive(head) || frames.solelyUsed(head)) {',
      mutated: '} else if (frames.exclusive(head)) {',
    },
    {
      kind: 'bound',
      text: 'if (result === Collapse.SUCCEED || result === Collapse.PMD_MAPPED) collapsed++;',
      mutated: 'if (result === Collapse.SUCCEED) collapsed++;',
    },
    {
      kind: 'bound',
      text: 'if (frames.count(frame) > 1 && ++shared > limits.maxPtesShared)',
      mutated: 'if (frames.count(frame) > 1 && ++shared >= limits.maxPtesShared)',
    },
    {
      kind: 'bound',
      text: '(first + wanted / PAGE_SIZE) * PAGE_SIZE > file.size',
      mutated: '(first + wanted / PAGE_SIZE) * PAGE_SIZE >= file.size',
    },
    {
      kind: 'bound',
      text: 'if (size >= old) return;',
      mutated: 'if (size > old) return;',
      survives: 'a truncation to the size that the file has frees nothing and zeroes nothing that could be read',
    },
    {
      kind: 'state',
      text: 'if (frame !== undefined) this.#manager.memory.fill(',
      mutated: 'if (frame === null) this.#manager.memory.fill(',
      tests: ['limits'],
    },
    {
      kind: 'state',
      text: 'if (covering !== undefined && covering.start <= first && covering.end >= end) return',
      mutated: 'if (covering !== undefined && covering.end >= end) return',
    },
    {
      kind: 'permission',
      text: "if (hugePages === 'never' || (hugePages === 'madvise' && (area.flags & VmFlag.HUGEPAGE) === 0)) return false;",
      mutated: "if (hugePages === 'never') return false;",
    },
    {
      kind: 'bound',
      text: 'if (level === 1 || distance % span !== 0) return 0;',
      mutated: 'if (level === 1) return 0;',
      survives: 'only a short cut: what does not fit one table is folded into smaller ones, or not at all',
    },
    {
      kind: 'bound',
      text: 'if (low === 0 && level < 4 && address % span === 0 && address + span <= end) {',
      mutated: 'if (low === 0 && level < 4 && address % span === 0 && address + span < end) {',
    },
    { kind: 'bound', text: 'from + span > ceiling', mutated: 'from + span >= ceiling' },
    { kind: 'state', text: 'mm.guards.move(from, end, distance);', mutated: 'mm.guards.meets(from, end);', tests: ['kernel/cases/memory'] },
  ],
};
