import type { Group } from '../mutant.ts';

export const mshare: Group = {
  package: 'plugins/mshare',
  tests: ['descriptors', 'named', 'page-tables', 'rpal-sharing'],
  mutants: [
    { kind: 'errno', text: 'if (this.destroyed) return -Errno.ENODEV;', mutated: '' },
    { kind: 'flush', text: 'if (!mm.dead) this.#manager.tlb.flushRange(cpu, mm, this.start, this.end);', mutated: '' },
    { kind: 'permission', text: 'if (this.#options.controlled === true) return -Errno.EPERM;', mutated: '' },
    { kind: 'state', text: 'if (--this.#references === 0) this.region.destroy(cpu);', mutated: 'this.#references--;' },
    { kind: 'errno', text: 'if (argument !== OpenFlag.RDONLY && argument !== OpenFlag.RDWR) return -Errno.EINVAL;', mutated: '' },
    {
      kind: 'errno',
      text: '(address !== 0 && address !== found.region.start) || (length !== 0 && length !== found.region.length)',
      mutated: 'address !== 0 && address !== found.region.start',
    },
    { kind: 'flush', text: 'for (const region of regions()) if (region.host === targets.mm) region.widen(targets);', mutated: '' },
    { kind: 'errno', text: 'if (file === undefined) return -Errno.ENOENT;', mutated: 'if (file === undefined) return 0;' },
  ],
};

export const amdNmi: Group = {
  package: 'plugins/amd-nmi',
  tests: ['plugin', 'lazy-switch', 'rfc-workload'],
  mutants: [
    { kind: 'permission', text: 'if (programs.includes(task.name))', mutated: 'if (true)' },
    { kind: 'state', text: 'if (fix && switched) {', mutated: 'if (switched) {' },
    { kind: 'bound', text: 'if (value >= MODULUS / 2) return;', mutated: 'if (value >= 0) return;' },
    { kind: 'state', text: 'if (status === 0) return 0;', mutated: 'if (status !== 0) return 0;' },

    { kind: 'bound', text: 'if (this.#cpu.clock < this.#anticipatedUntil) {', mutated: 'if (this.#cpu.clock > this.#anticipatedUntil) {' },
  ],
};

export const noMpk: Group = {
  package: 'plugins/no-mpk',
  tests: ['plugin', 'views', 'attacks'],
  mutants: [
    { kind: 'errno', text: 'if (list.eptps[index] === undefined) return -Errno.EINVAL;', mutated: '' },
    { kind: 'flush', text: 'if (GuestMode.of(other).inveptTables(view.tables)) kick = true;', mutated: '{}' },
    { kind: 'key', text: 'if (!hidden.has(frame)) this.tables.protect(frame * PAGE_SIZE, Ept.all);', mutated: '{}' },
    { kind: 'cost', text: 'cpu.charge(ViewStep.makeEptView);', mutated: '' },
    { kind: 'state', text: 'if (view !== views.current) flushed = views.enter(view);', mutated: 'flushed = views.enter(view);' },
  ],
};

export const lockdep: Group = {
  package: 'plugins/lockdep',
  tests: ['lock-order', 'machine'],
  mutants: [
    {
      kind: 'state',
      text: 'if (one.lock === taken.lock) this.#report(LockProblem.RECURSIVE, [dependency]);',
      mutated: 'if (one.lock === taken.lock) {}',
    },
    {
      kind: 'state',
      text: 'one.lock.kind === LockKind.SPIN && taken.lock.kind === LockKind.SLEEPING;',
      mutated: 'one.lock.kind === LockKind.SPIN;',
    },
    {
      kind: 'order',
      text: 'if (this.#siblings.get(taken)?.has(held) === true)',
      mutated: 'if (this.#siblings.get(held)?.has(taken) === true)',
    },
    { kind: 'order', text: 'const rest = seen.has(name) ? null : this.#path(name, to, seen);', mutated: 'const rest = null;' },
    { kind: 'order', text: 'if (after.has(taken)) return;', mutated: '' },
    { kind: 'key', text: 'if (this.#reported.has(key)) return;', mutated: '' },
    { kind: 'key', text: '(lock.kind === LockKind.SPIN ? onCpu : byTask).push(taken);', mutated: 'onCpu.push(taken);' },
    { kind: 'state', text: 'if (at >= 0) held.splice(at, 1);', mutated: '' },
    { kind: 'state', text: 'if (held.length === 0) return;', mutated: 'if (held.length > 0) return;', in: 'plugin.ts' },
  ],
};

export const kernelBus: Group = {
  package: 'plugins/kernel-bus',
  tests: ['bus'],
  mutants: [
    { kind: 'permission', text: 'if (!to.#takesFrom(this)) return -Errno.EPERM;', mutated: '' },
    { kind: 'errno', text: 'if (offset < 0) return -Errno.ENOBUFS;', mutated: 'if (offset < 0) return -Errno.ENOMEM;' },
    { kind: 'wake-up', text: 'this.wait.wakeOneSync(cpu, Poll.IN | Poll.RDNORM);', mutated: '' },
    { kind: 'state', text: 'if (owner === connection) this.#names.delete(name);', mutated: '{}' },
    { kind: 'bound', text: 'if (offset + rounded > this.bytes) return -1;', mutated: 'if (offset > this.bytes) return -1;' },
    { kind: 'cost', text: 'cpu.charge(BusStep.route);', mutated: '' },
    { kind: 'errno', text: 'if (owner !== undefined && owner !== connection) return -Errno.EEXIST;', mutated: '' },
  ],
};

export const pageFlip: Group = {
  package: 'plugins/page-flip',
  tests: ['page-flip'],
  mutants: [
    {
      kind: 'flush',
      text: 'if (wasWritable) own.manager.tlb.flushChanged(cpu, own, from, from + length, PAGE_SIZE, NO_TABLES_FREED);',
      mutated: '',
    },
    { kind: 'permission', text: 'one.from === sender.process.pid && to >= one.start', mutated: 'to >= one.start' },
    { kind: 'bound', text: 'to + length <= one.end)) return -Errno.EPERM;', mutated: 'to < one.end)) return -Errno.EPERM;' },
    { kind: 'state', text: 'frames.clearExclusive(frame);', mutated: '', in: 'send-pages.ts' },
    { kind: 'state', text: 'frames.put(old);', mutated: '', in: 'send-pages.ts' },
    { kind: 'key', text: 'frames.exclusive(frame) ? WRITTEN_PAGE : WRITTEN_PAGE & ~Pte.writable', mutated: 'WRITTEN_PAGE & ~Pte.writable' },
  ],
};

export const crossMemoryAttach: Group = {
  package: 'plugins/cross-memory-attach',
  tests: ['cross-memory-attach'],
  mutants: [
    { kind: 'permission', text: 'if (!thread.process.mayInspect(target, Capability.SYS_PTRACE)) return -Errno.EPERM;', mutated: '' },
    { kind: 'state', text: 'remote.users++;', mutated: '' },
    { kind: 'state', text: 'if (--remote.users === 0) exitMm(cpu, remote);', mutated: '--remote.users;' },
    { kind: 'errno', text: 'if (this.#thread.killPending) return this.#end(cpu, -Errno.EINTR);', mutated: '' },
    { kind: 'bound', text: 'PAGE_SIZE - (near & PAGE_MASK), PAGE_SIZE - (far & PAGE_MASK)', mutated: 'PAGE_SIZE - (far & PAGE_MASK)' },
    { kind: 'errno', text: 'if (target.mm.dead) return -Errno.ESRCH;', mutated: '' },
  ],
};

export const multikernel: Group = {
  package: 'plugins/multikernel',
  tests: ['urpc', 'urpc-races', 'capabilities', 'multikernel', 'published'],
  mutants: [
    {
      kind: 'state',
      text: 'return (yield* this.words.load(this.next + HEADER)) === ((this.count + 1) % NUMBERS) + 1;',
      mutated: 'return (yield* this.words.load(this.next + HEADER)) !== 0;',
    },
    { kind: 'permission', text: 'slot.owner === owner && slot.number === number', mutated: 'slot.number === number' },
    { kind: 'errno', text: "if (this.#claims.some((claim) => overlaps(claim.memory, memory))) return 'BUSY';", mutated: '' },
    { kind: 'errno', text: "if (this.descendants(memory).length > 0) return 'TYPED_ALREADY';", mutated: '' },
    { kind: 'permission', text: "if (write && !writable) return 'NO_RIGHT';", mutated: '' },
    { kind: 'cost', text: 'if (operation === Operation.INVALIDATE) driver.invalidate([b]);', mutated: '' },
    {
      kind: 'flush',
      survives:
        "the monitor's address space has been loaded since, by a write of CR3 that flushes: INVLPG finds nothing and costs what it costs",
      text: 'driver.invalidate(this.#world.spaces.flatMap((space) => this.#unmapAll(space, memory)));',
      mutated: 'this.#world.spaces.flatMap((space) => this.#unmapAll(space, memory));',
    },
    { kind: 'bound', text: 'RETYPES[type].includes(to) && pieces * frames <= count', mutated: 'RETYPES[type].includes(to)' },
    { kind: 'cost', text: 'cpu.charge(KernelStep.capabilityLookup);', mutated: '' },
  ],
};

export const dune: Group = {
  package: 'plugins/dune',
  tests: ['dune', 'attacks'],
  mutants: [
    { kind: 'flush', text: 'if (cleared) for (const cpu of this.#cpus) GuestMode.of(cpu).inveptTables(this.tables);', mutated: '' },
    { kind: 'permission', text: 'if (this.ring === 0) return this.#host.syscall(cpu);', mutated: 'return this.#host.syscall(cpu);' },
    { kind: 'permission', text: '(low & Pte.writable) !== 0 ? Ept.all : Ept.read | Ept.execute;', mutated: 'Ept.all;' },
    { kind: 'permission', text: 'return allows(nr, args) ?', mutated: 'return allows(nr, args) || true ?' },
    {
      kind: 'permission',
      text: 'const tables = yield* d.newTables(SUPERVISOR);',
      mutated: 'const tables = yield* d.newTables(OPEN);',
      in: 'sandbox.ts',
    },
    { kind: 'state', text: 'thread.guest = null;', mutated: '' },
    { kind: 'state', text: 'vcpu.ring = ring;', mutated: '' },
    { kind: 'state', text: 'this.tables.free();', mutated: '' },
    { kind: 'errno', text: 'if (thread.guest !== null || thread.entryWatched) return -Errno.EBUSY;', mutated: '' },
    { kind: 'bound', text: 'address + length <= start + bytes;', mutated: 'address < start + bytes;' },
  ],
};

export const exokernel: Group = {
  package: 'plugins/exokernel',
  tests: ['bindings', 'transfer', 'pipe', 'filters'],
  mutants: [
    { kind: 'permission', text: 'found !== undefined && check === this.#check(frame, writable)', mutated: 'found !== undefined' },
    { kind: 'permission', text: "if (writable && !capability.writable) return 'NO_RIGHT';", mutated: '' },
    { kind: 'permission', text: "if (writable && frame.table) return 'IS_TABLE';", mutated: '' },
    { kind: 'permission', text: "if (frame.table || frame.bindings.length > 0) return 'IN_USE';", mutated: '' },
    {
      kind: 'permission',
      text: 'if (synchronous && slot.runner === from) slot.runner = callee;',
      mutated: 'if (synchronous) slot.runner = callee;',
    },
    { kind: 'state', text: 'this.#lives.set(number, (this.#lives.get(number) ?? 0) + 1);', mutated: '' },
    { kind: 'state', text: 'for (const slot of this.#slots) if (slot.runner === environment) slot.runner = slot.owner;', mutated: '' },
    { kind: 'flush', text: 'else this.#stale.add(environment);', mutated: '' },
    { kind: 'bound', text: 'if (filter < later(0)) {', mutated: 'if (filter >= 0) {' },
    { kind: 'state', text: 'this.claims.leave(environment);', mutated: '' },
    { kind: 'bound', text: '(written - read + COUNTS) % COUNTS < ROOM', mutated: '(written - read + COUNTS) % COUNTS <= ROOM' },
    {
      kind: 'bound',
      text: 'if (this.entries.exception === null || this.#traps === 8) return false;',
      mutated: 'if (this.entries.exception === null) return false;',
    },
  ],
};
