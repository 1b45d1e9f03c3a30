import type { Group } from '../mutant.ts';

export const tmpfs: Group = {
  package: 'packages/tmpfs',
  tests: ['names', 'rights', 'inotify', 'files', 'archive'],
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
    {
      kind: 'permission',
      text: 'credentials.fsuid === inode.uid ? 6 : inGroup(credentials, inode.gid) ? 3 : 0',
      mutated: 'credentials.fsuid === inode.uid ? 6 : 0',
    },
    { kind: 'permission', text: 'if (sticksTo(directory, victim.inode, credentials)) return -Errno.EPERM;', mutated: '' },
    { kind: 'permission', text: 'const gid = inherits ? directory.gid : credentials.fsgid;', mutated: 'const gid = credentials.fsgid;' },
    {
      kind: 'permission',
      text: 'if (!isCapable(credentials, FileCapability.FSETID)) inode.mode &= ~privilegedBits(inode, credentials);',
      mutated: '',
    },
    { kind: 'errno', text: 'if (!directory.empty) return -Errno.ENOTEMPTY;', mutated: '' },
    { kind: 'errno', text: 'if (to.directory.isBelow(source)) return -Errno.EINVAL;', mutated: '' },
    { kind: 'errno', text: 'if ((flags & EXCL) !== 0) return -Errno.EEXIST;', mutated: '' },
    { kind: 'errno', text: 'if (target !== null && (flags & NOREPLACE) !== 0) return -Errno.EEXIST;', mutated: '' },
    { kind: 'errno', text: 'if (at === owner) return true;', mutated: '', in: 'locks/file-locks.ts' },
    { kind: 'wake-up', text: 'this.wait.wakeAll(cpu);', mutated: '', in: 'locks/file-locks.ts' },
    { kind: 'bound', text: 'return a.start <= b.last && b.start <= a.last;', mutated: 'return a.start < b.last && b.start < a.last;' },
    { kind: 'wake-up', text: 'this.wait.wakeAll(cpu, READABLE);', mutated: '', in: 'notify/inotify.ts' },
    { kind: 'state', text: 'if (last !== undefined && same(last, event)) return;', mutated: '' },
    { kind: 'state', text: 'if ((this.mask & Inotify.ONESHOT) !== 0) this.#file.end(cpu, this);', mutated: '' },
    { kind: 'bound', text: 'if (done + length > this.#length) return', mutated: 'if (done + length >= this.#length) return' },
    { kind: 'state', text: 'if (inode instanceof RegularInode) inode.content.put();', mutated: '' },
    {
      kind: 'errno',
      text: 'if (dead || fixed) return -Errno.ENOENT;',
      mutated: 'if (dead) return -Errno.ENOENT;',
      tests: ['kernel/cases/names'],
    },
  ],
};
