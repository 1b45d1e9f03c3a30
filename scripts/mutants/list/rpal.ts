import type { Group } from '../mutant.ts';

export const rpalCore: Group = {
  package: 'packages/rpal-core',
  tests: [
    'identify',
    'time-slice',
    'fork-pkru',
    'ioctl',
    'isolation',
    'lifecycle',
    'partition',
    'pkey',
    'plugin',
    'proc-file',
    'quirks',
    'cpu-lock',
    'tlb-union',
    'librpal/librpal',
    'librpal/time-lines',
    'librpal/quirks',
  ],
  mutants: [
    {
      kind: 'bound',
      text: 'address >= metadata.retBegin && address < metadata.retEnd',
      mutated: 'address >= metadata.retBegin && address <= metadata.retEnd',
    },
    { kind: 'cost', text: 'if (!trusted) data.charged += total;', mutated: '' },
    { kind: 'cost', text: 'role.charged -= before;', mutated: '' },
    { kind: 'cost', text: 'cpu.charge(RpalStep.identify);', mutated: '' },

    { kind: 'key', text: 'return ALL_DENIED & ~(3 << (2 * key));', mutated: 'return ALL_DENIED & ~(1 << (2 * key));' },
    { kind: 'key', text: 'return service === null || service.pkey < 0 ? pkru : pkru & pkruOf(service.pkey);', mutated: 'return pkru;' },
    {
      kind: 'key',
      text: 'return service.pkuOn === PkuOn.INIT && threeValued ? 0 : pkruOf(service.pkey);',
      mutated: 'return pkruOf(service.pkey);',
      tests: ['pkey'],
    },
    {
      kind: 'key',
      text: 'return wanted >= 0 && wanted <= 15 ? wanted : service.id % 16;',
      mutated: 'return wanted > 0 && wanted <= 15 ? wanted : service.id % 16;',
      tests: ['pkey'],
    },
    {
      kind: 'key',
      text: 'if (parent.rpal.service !== null && state.fixes(30)) child.pkru = cpu.mmu.pkru;',
      mutated: '',
      tests: ['fork-pkru', 'quirks', 'lifecycle'],
    },
    {
      kind: 'flush',
      text: 'if (!mm.dead) mm.manager.tlb.flushRange(cpu, mm, 0, Number.POSITIVE_INFINITY);',
      mutated: '',
      tests: ['lifecycle', 'quirks', 'isolation', 'explore/death'],
    },
    { kind: 'errno', text: 'if (service.bad) return -Errno.EINVAL;', mutated: '' },
    { kind: 'errno', text: 'if (!target.enabled) return -Errno.EPERM;', mutated: '' },
    { kind: 'errno', text: 'if (target.pkey === service.pkey) return -Errno.EINVAL;', mutated: '' },
    {
      kind: 'errno',
      text: 'if (!service.isCorrect(metadata.retBegin) || !service.isCorrect(metadata.retEnd)) return -Errno.EINVAL;',
      mutated: 'if (!service.isCorrect(metadata.retBegin)) return -Errno.EINVAL;',
    },
    {
      kind: 'errno',
      text: 'if (service.requestsLeft === 0) return -Errno.EINVAL;',
      mutated: '',
    },
    {
      kind: 'errno',
      text: 'if (bit === MapType.REQUEST && service.requestsLeft === 0) return -Errno.EINVAL;',
      mutated: '',
    },
    { kind: 'bound', text: 'if (bit === MapType.REQUEST) service.requestsLeft--;', mutated: '' },
    {
      kind: 'bound',
      text: 'if (used + pages > RPAL_MAX_SHARED_PAGES) return -Errno.ENOMEM;',
      mutated: 'if (used + pages >= RPAL_MAX_SHARED_PAGES) return -Errno.ENOMEM;',
    },
    {
      kind: 'errno',
      text: 'if (pages === 0 || (pages & (pages - 1)) !== 0) return -Errno.EINVAL;',
      mutated: 'if (pages === 0) return -Errno.EINVAL;',
    },
    {
      kind: 'permission',
      text: 'return address >= this.userStart && address + bytes <= this.userStart + this.pages * PAGE_SIZE;',
      mutated: 'return address >= this.userStart;',
    },
    { kind: 'state', text: 'if (--this.references === 0 && !this.#freed) this.#free();', mutated: 'this.references--;' },
    { kind: 'state', text: 'if ((occupied & Pte.present) !== 0 && (occupied & RPAL_IGNORE) === 0) return -Errno.EINVAL;', mutated: '' },
    {
      kind: 'wake-up',
      text: 'if ((thread.rpal.flags & RpalFlag.WAKE) !== 0) return true;',
      mutated: '',
      tests: ['quirks', 'librpal/time-lines', 'librpal/librpal', 'explore/state-tables'],
    },
    {
      kind: 'wake-up',
      text: 'if ((load(cpu, rcc + Rcc.epPending) & RPAL_USER_PENDING) === 0) return false;',
      mutated: '',
      tests: ['librpal/time-lines', 'librpal/librpal', 'explore/state-tables'],
    },
    {
      kind: 'wake-up',
      text: 'else if (state === ReceiverState.READY_LS) moveReceiver(rpal, cpu, rcc, 18, state, ReceiverState.RUNNING);',
      mutated: '',
      tests: ['librpal/librpal', 'librpal/time-lines', 'explore/state-tables'],
    },
    {
      kind: 'wake-up',
      text: 'if (epoll.eventsAvailable) orInto(cpu, pending, RPAL_KERNEL_PENDING);',
      mutated: '',
      tests: ['librpal/librpal', 'librpal/time-lines', 'explore/state-tables', 'explore/findings'],
    },
    {
      kind: 'errno',
      text: 'if (maximum <= 0 || maximum > MAX_EVENTS) return -Errno.EINVAL;',
      mutated: 'if (maximum < 0 || maximum > MAX_EVENTS) return -Errno.EINVAL;',
      tests: ['ioctl', 'quirks', 'librpal/librpal', 'librpal/quirks'],
    },
    {
      kind: 'state',
      text: 'if (cpu.memory.read32(scc + Scc.magic) !== RPAL_ERROR_MAGIC) return false;',
      mutated: '',
      tests: ['quirks', 'isolation', 'librpal/librpal', 'explore/death'],
    },
    { kind: 'key', text: 'if (thread.killPending) {', mutated: 'if (thread.killPending && service === null) {', tests: ['quirks'] },
  ],
};

export const librpal: Group = {
  package: 'packages/librpal',
  tests: ['call-steps', 'fd-slots', 'librpal', 'queues', 'time-lines', 'quirks', 'lib-call'],
  mutants: [
    {
      kind: 'bound',
      text: 'memory.read32(queue + ReadyQueue.end) - memory.read32(queue + ReadyQueue.begin) >= ReadyQueue.capacity',
      mutated: 'memory.read32(queue + ReadyQueue.end) - memory.read32(queue + ReadyQueue.begin) > ReadyQueue.capacity',
    },
    {
      kind: 'bound',
      text: 'if (((tail - head) | 0) + this.length > QUEUE_WORDS) {',
      mutated: 'if (((tail - head) | 0) + this.length >= QUEUE_WORDS) {',
    },
    { kind: 'bound', text: 'length >= 1 && length <= QUEUE_WORDS', mutated: 'length >= 1 && length < QUEUE_WORDS' },
    {
      kind: 'errno',
      text: "return this.quirk('refused-sender-as-fault') ? RpalError.ERR_PEER_MEM : RpalError.INVAL_THREAD;",
      mutated: 'return RpalError.ERR_PEER_MEM;',
    },
    {
      kind: 'errno',
      text: 'if (peer === undefined || peer.released) return this.#fail(RpalError.INVAL_SERVICE);',
      mutated: 'if (peer === undefined) return this.#fail(RpalError.INVAL_SERVICE);',
    },
    {
      kind: 'errno',
      text: 'if (memory.read32(entry + FdRecord.timestamp) !== this.rpalfd.timestamp) return this.#fail(RpalError.FDE_OUTDATED);',
      mutated: '',
    },
    { kind: 'state', text: 'if (again) memory.write32(entry + FdRecord.trigger, 0);', mutated: '' },
    {
      kind: 'cost',
      text: 'cpu.chargeBytes(this.process.steps.dataPut, 8 * this.length);',
      mutated: 'cpu.chargeBytes(this.process.steps.dataPut, 8);',
    },
    { kind: 'cost', text: 'cpu.charge(process.steps.returnKey);', mutated: '' },
    { kind: 'cost', text: 'cpu.charge(this.process.steps.openPeer);', mutated: '' },
    { kind: 'cost', text: 'cpu.charge(receiver.process.steps.collectOne);', mutated: '' },
    { kind: 'wake-up', text: 'if (begin !== end || this.#count === this.maxevents) {', mutated: 'if (begin !== begin) {' },
    { kind: 'bound', text: 'if (begin === end || this.#count === this.maxevents) {', mutated: 'if (begin === end) {' },
    { kind: 'wake-up', text: 'if ((pending & RPAL_KERNEL_PENDING) !== 0) {', mutated: 'if ((pending & RPAL_KERNEL_PENDING) === -1) {' },
    { kind: 'state', text: '} else if (use >= SlotUse.AVAILABLE) {', mutated: '} else {' },
    {
      kind: 'bound',
      text: 'if (fd < FDS_PER_NODE) return fd < 0 ? NO_SLOT : table + fd * FdSlot.size;',
      mutated: 'if (fd <= FDS_PER_NODE) return fd < 0 ? NO_SLOT : table + fd * FdSlot.size;',
    },
    {
      kind: 'bound',
      text: 'if (receivers <= 0) return state.failWithout(RpalError.INVALID_ARG);',
      mutated: 'if (receivers < 0) return state.failWithout(RpalError.INVALID_ARG);',
    },
    {
      kind: 'errno',
      text: 'if (compat !== RPAL_COMPAT_VERSION || api < RPAL_API_VERSION) return RpalError.KERNEL_API_NOTSUPPORT;',
      mutated: 'if (api < RPAL_API_VERSION) return RpalError.KERNEL_API_NOTSUPPORT;',
    },
    {
      kind: 'bound',
      text: 'if (index >= state.receiverCount) return null;',
      mutated: '',
    },
    { kind: 'state', text: 'if (slot >= 0) this.#taken[slot] = true;', mutated: '' },
  ],
};

export const explore: Group = {
  package: 'packages/explore',
  tests: ['death', 'races', 'footprint', 'findings', 'complete'],
  mutants: [
    { kind: 'order', text: '!overlap(a.writes, b.writes) && !overlap(a.writes, b.reads)', mutated: '!overlap(a.writes, b.writes)' },
    { kind: 'order', text: 'if (first.enabled.includes(second.choice)) todo.add(second.choice);', mutated: '' },
    {
      kind: 'order',
      text: 'if (node.done.has(choice) || node.asleep.has(choice)) continue;',
      mutated: 'if (node.done.has(choice)) continue;',
      tests: ['complete', 'races'],
    },
    {
      kind: 'bound',
      text: 'if (before + (choice === node.usual ? 0 : 1) > bound) {',
      mutated: 'if (before + (choice === node.usual ? 0 : 1) >= bound) {',
      tests: ['findings', 'races', 'death'],
    },
    { kind: 'state', text: 'if (exit === null) return ', mutated: 'if (exit === null) void ', tests: ['findings', 'death'] },
    { kind: 'state', text: 'if (this.#failure !== null && this.#beyond === 0) break;', mutated: '', tests: ['findings', 'death'] },
    {
      kind: 'bound',
      text: 'if (failure !== null || covered >= most || result.runs >= limits.runs) return result;',
      mutated: 'if (failure !== null || covered >= most) return result;',
    },
    {
      kind: 'errno',
      text: 'if (!(quirkNames as readonly string[]).includes(name)) {',
      mutated: "if (name === '') {",
      tests: ['findings', 'death', 'bench/explore'],
    },
  ],
};
