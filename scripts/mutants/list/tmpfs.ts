import type { Group } from '../mutant.ts';

export const tmpfs: Group = {
  package: 'packages/tmpfs',
  tests: ['files', 'archive'],
  mutants: [
    {
      kind: 'bound',
      text: 'if (name.length > NAME_MAX) return -Errno.ENAMETOOLONG;',
      mutated: 'if (name.length >= NAME_MAX) return -Errno.ENAMETOOLONG;',
    },
    {
      kind: 'bound',
      text: 'if (++this.#links > MAX_LINKS) return -Errno.ELOOP;',
      mutated: 'if (++this.#links > MAX_LINKS + 9) return -Errno.ELOOP;',
    },
    { kind: 'errno', text: 'if (offset < 0 || length <= 0) return -Errno.EINVAL;', mutated: 'if (offset < 0) return -Errno.EINVAL;' },
    { kind: 'errno', text: 'if (path.length + 1 > a1) return -Errno.ERANGE;', mutated: 'if (path.length > a1) return -Errno.ERANGE;' },
    { kind: 'errno', text: 'if (isDirectory(inode)) return -Errno.EISDIR;', mutated: '', in: 'attribute-calls.ts' },
    { kind: 'permission', text: 'if (!isCapable(credentials, FileCapability.DAC_OVERRIDE)) return -Errno.EACCES;', mutated: '' },
    { kind: 'cost', text: 'this.#cpu.charge(TmpfsStep.pathComponent);', mutated: '' },
  ],
};
