import type { Group } from '../mutant.ts';

export const posix: Group = {
  package: 'packages/posix',
  tests: ['sysv-shm', 'mqueue', 'readme'],
  mutants: [
    { kind: 'permission', text: 'traits.of(target).dumpable !== 0 && ', mutated: '', tests: ['may-attach'] },
    {
      kind: 'permission',
      text: ' && isWithin(target.credentials.permitted, caller.credentials.permitted)',
      mutated: '',
      tests: ['may-attach'],
    },
    {
      kind: 'errno',
      text: '(found) => (found.bytes < size ? -Errno.EINVAL : 0),',
      mutated: '() => 0,',
      tests: ['sysv-shm'],
    },
    { kind: 'bound', text: 'if (segment.attached === 0) this.#destroy(segment);', mutated: 'this.#destroy(segment);', tests: ['sysv-shm'] },
    {
      kind: 'state',
      text: 'if (this.attached === 0 && this.removed) this.#gone(this);',
      mutated: 'if (this.attached === 0) this.#gone(this);',
    },
    {
      kind: 'errno',
      text: 'if (key !== Ipc.PRIVATE && (flags & Ipc.CREAT) === 0) return -Errno.ENOENT;',
      mutated: '',
      in: 'ipc-table.ts',
    },
    { kind: 'errno', text: 'if (queue.notification !== null) return -Errno.EBUSY;', mutated: '', tests: ['mqueue'] },
    {
      kind: 'bound',
      text: 'if (priority >= MQ_PRIO_MAX) return -Errno.EINVAL;',
      mutated: 'if (priority > MQ_PRIO_MAX) return -Errno.EINVAL;',
    },
    {
      kind: 'permission',
      text: 'if (!may(thread.process, target)) return -Errno.EPERM;',
      mutated: '',
      tests: ['kernel/refusals'],
    },
    { kind: 'errno', text: 'if (file.process.reaped) return -Errno.ESRCH;', mutated: '', tests: ['kernel/refusals'] },
    {
      kind: 'errno',
      text: 'if (!(file instanceof PipeEnd)) return -Errno.EBADF;',
      mutated: 'if (!(file instanceof PipeEnd)) return -Errno.EINVAL;',
      tests: ['splice'],
    },
    {
      kind: 'errno',
      text: 'if (owner === undefined || owner.state === TaskState.DEAD) return -Errno.ESRCH;',
      mutated: 'if (owner === undefined || owner.state === TaskState.DEAD) return -Errno.EINVAL;',
      tests: ['futex-pi'],
    },
    { kind: 'errno', text: 'if (futex.mutex.owner !== thread) return -Errno.EINVAL;', mutated: '', tests: ['kernel/refusals'] },
    {
      kind: 'errno',
      text: '    if (tryOnly) return -Errno.EAGAIN;',
      mutated: '',
      tests: ['futex-pi'],
      survives: 'the same test comes again after it; only an entry that nobody waits at would be left in the table',
    },
    {
      kind: 'wake-up',
      text: 'if (thread.inheritance !== null) piFutexes.abandon(cpu, thread);',
      mutated: '',
      tests: ['futex-pi'],
    },
    { kind: 'cost', text: 'cpu.charge(KernelStep.processVmPin);', mutated: '', tests: ['kernel/counted-paths'] },
    { kind: 'errno', text: "if (letter !== '0' && letter !== '1') return -Errno.EINVAL;", mutated: '', tests: ['kernel/cpu-online'] },
    { kind: 'errno', text: 'if (!isSame(first.lock, to)) return -Errno.EINVAL;', mutated: '', tests: ['kernel/cases/futexes'] },
  ],
};
