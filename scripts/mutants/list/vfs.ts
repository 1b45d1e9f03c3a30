import type { Group } from '../mutant.ts';

export const vfs: Group = {
  package: 'packages/vfs',
  tests: ['fd-table', 'kernel/poll', 'kernel/transfer', 'kernel/held-file', 'kernel/process', 'kernel/pipe', 'kernel/epoll'],
  mutants: [
    { kind: 'errno', text: 'if (fd >= this.limit) return -Errno.EMFILE;', mutated: 'if (fd > this.limit) return -Errno.EMFILE;' },
    {
      kind: 'errno',
      text: 'if (fd < 0 || fd >= this.limit) return -Errno.EBADF;',
      mutated: 'if (fd < 0) return -Errno.EBADF;',
      tests: ['fd-table', 'kernel/pipe', 'kernel/process'],
    },
    { kind: 'bound', text: 'if (from <= this.#lowestFree) this.#lowestFree = fd + 1;', mutated: 'this.#lowestFree = fd + 1;' },
    {
      kind: 'state',
      text: 'copy.#place(fd, file, this.#closeOnExec.has(fd));',
      mutated: 'copy.#place(fd, file, false);',
      tests: ['fd-table', 'kernel/exec'],
    },
    {
      kind: 'state',
      text: 'if (on) this.#closeOnExec.add(fd);',
      mutated: 'if (!on) this.#closeOnExec.add(fd);',
      tests: ['fd-table', 'kernel/exec'],
    },
    { kind: 'state', text: 'if (--this.count > 0) return;', mutated: 'if (--this.count > 1) return;' },
    { kind: 'errno', text: 'if (!(base + offset >= 0)) return -Errno.EINVAL;', mutated: '', tests: ['kernel/transfer'] },
    {
      kind: 'errno',
      text: 'if (mode === OpenFlag.WRONLY) return -Errno.EACCES;',
      mutated: '',
      tests: ['kernel/mqueue', 'kernel/transfer', 'kernel/pipe'],
    },
    { kind: 'bound', text: 'if (item.fd < 0) continue;', mutated: 'if (item.fd <= 0) continue;', tests: ['kernel/poll'] },
    { kind: 'bound', text: 'if (item.found !== 0) ready++;', mutated: 'if (item.found === 1) ready++;', tests: ['kernel/poll'] },
    {
      kind: 'errno',
      text: 'if (task.signalPending) return this.#end(cpu, -Errno.ERESTARTNOHAND);',
      mutated: '',
      tests: ['kernel/poll', 'kernel/signal'],
    },
    { kind: 'state', text: 'if (this.#timedOut) return this.#end(cpu, 0);', mutated: '', tests: ['kernel/poll'] },
    {
      kind: 'wake-up',
      text: 'if (key !== 0 && (key & events) === 0) return 0;',
      mutated: 'if (key !== 0) return 0;',
      tests: ['kernel/poll'],
    },
    {
      kind: 'wake-up',
      text: 'if (task.signalPending) return this.interrupted(cpu);',
      mutated: '',
      tests: ['kernel/signal', 'kernel/pipe'],
    },
    { kind: 'cost', text: 'cpu.charge(VfsStep.fdLookup);', mutated: '', tests: ['fd-table', 'kernel/counted-paths'] },
    { kind: 'cost', text: 'cpu.charge(VfsStep.pollBody);', mutated: '', tests: ['kernel/poll', 'kernel/counted-paths'] },
  ],
};
