import type { Group } from '../mutant.ts';

export const posix: Group = {
  package: 'packages/posix',
  tests: ['sysv-shm', 'mqueue', 'readme'],
  mutants: [
    { kind: 'errno', text: 'return found.bytes < bytes ? -Errno.EINVAL : found.id;', mutated: 'return found.id;', tests: ['sysv-shm'] },
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
      in: 'shared-memory.ts',
    },
    { kind: 'errno', text: 'if (queue.notification !== null) return -Errno.EBUSY;', mutated: '', tests: ['mqueue'] },
    {
      kind: 'bound',
      text: 'if (priority >= MQ_PRIO_MAX) return -Errno.EINVAL;',
      mutated: 'if (priority > MQ_PRIO_MAX) return -Errno.EINVAL;',
    },
    {
      kind: 'permission',
      text: 'if (!thread.process.mayInspect(target, Capability.SYS_PTRACE)) return -Errno.EPERM;',
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
    { kind: 'cost', text: 'cpu.charge(KernelStep.processVmPin);', mutated: '', tests: ['kernel/counted-paths'] },
    { kind: 'errno', text: "if (letter !== '0' && letter !== '1') return -Errno.EINVAL;", mutated: '', tests: ['kernel/cpu-online'] },
  ],
};
