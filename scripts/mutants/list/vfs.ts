import type { Group } from '../mutant.ts';

export const vfs: Group = {
  package: 'packages/vfs',
  // Its own tests notice all of them: no kernel is needed.
  tests: ['fd-table', 'file', 'iov', 'poll', 'retry-operation'],
  mutants: [
    { kind: 'errno', text: 'return fd < this.limit ? fd : -Errno.EMFILE;', mutated: 'return fd <= this.limit ? fd : -Errno.EMFILE;' },
    {
      kind: 'errno',
      text: 'if (fd < 0 || fd >= this.limit) return -Errno.EBADF;',
      mutated: 'if (fd < 0) return -Errno.EBADF;',
    },
    { kind: 'bound', text: 'if (from <= this.#lowestFree) this.#lowestFree = fd + 1;', mutated: 'this.#lowestFree = fd + 1;' },
    {
      kind: 'state',
      text: 'copy.#place(fd, file, this.#closeOnExec.has(fd));',
      mutated: 'copy.#place(fd, file, false);',
    },
    {
      kind: 'state',
      text: 'if (closeOnExec) this.setCloseOnExec(fd);',
      mutated: 'if (!closeOnExec) this.setCloseOnExec(fd);',
    },
    { kind: 'state', text: 'if (--this.count > 0) return;', mutated: 'if (--this.count > 1) return;' },
    { kind: 'errno', text: 'if (!(base + offset >= 0 && base + offset < OFFSET_END)) return -Errno.EINVAL;', mutated: '' },
    {
      kind: 'errno',
      text: 'readable: mode !== OpenFlag.WRONLY,',
      mutated: 'readable: true,',
    },
    { kind: 'bound', text: 'if (item.fd < 0) continue;', mutated: 'if (item.fd <= 0) continue;' },
    { kind: 'bound', text: 'if (item.found !== 0) ready++;', mutated: 'if (item.found === 1) ready++;' },
    {
      kind: 'errno',
      text: 'if (task.signalPending) return this.#end(cpu, -Errno.ERESTARTNOHAND);',
      mutated: '',
    },
    { kind: 'state', text: 'if (this.#timedOut) return this.#end(cpu, 0);', mutated: '' },
    {
      kind: 'wake-up',
      text: 'if (key !== 0 && (key & events) === 0) return 0;',
      mutated: 'if (key !== 0) return 0;',
    },
    {
      kind: 'wake-up',
      text: 'if (patience === 0) return task.signalPending ? -Errno.ERESTARTSYS : 0;',
      mutated: 'if (patience === 0) return 0;',
    },
    { kind: 'cost', text: 'cpu.charge(VfsStep.fdLookup);', mutated: '' },
    { kind: 'cost', text: 'cpu.charge(VfsStep.pollBody);', mutated: '' },
    { kind: 'bound', text: 'return Math.min(length, room);', mutated: 'return length;', tests: ['kernel/cases/files'] },
  ],
};
