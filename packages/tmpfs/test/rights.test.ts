import { AccessMode, Errno, FileMode, OpenFlag } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import type { FileRecord } from '../src/index.js';
import { readStat } from '../src/index.js';
import { run, say } from './support.js';

const { READ, WRITE, EXECUTE } = AccessMode;
const { CREAT, RDONLY, RDWR } = OpenFlag;
const USER = 1000;

/** What `access` says of reading, writing and executing a file: "r-x". */
function rightsOf(record: Partial<FileRecord>, uid: number): string {
  let rights = '';
  run(
    function* (p) {
      yield* p.setuid(uid);
      for (const [mask, letter] of [
        [READ, 'r'],
        [WRITE, 'w'],
        [EXECUTE, 'x'],
      ] as const) {
        const answer = yield* p.access('/it', mask);
        expect([0, -Errno.EACCES]).toContain(answer);
        rights += answer === 0 ? letter : '-';
      }
    },
    { files: [{ path: '/it', content: '', ...record }] },
  );
  return rights;
}

describe('the rights to a file', () => {
  it("are its owner's, its group's, or those of all others: of one class only", () => {
    expect(rightsOf({ mode: 0o741, uid: USER }, USER)).toBe('rwx');
    expect(rightsOf({ mode: 0o047, uid: USER }, USER), 'the owner is not one of the others').toBe('---');
    expect(rightsOf({ mode: 0o741, uid: 1, gid: 1 }, USER)).toBe('--x');
    expect(rightsOf({ mode: 0o751, uid: 1, gid: 0 }, USER), 'setuid leaves the group').toBe('r-x');
  });

  it('are all of them for root, who executes only what somebody may execute', () => {
    expect(rightsOf({ mode: 0, uid: USER }, 0)).toBe('rw-');
    expect(rightsOf({ mode: 0o001, uid: USER }, 0)).toBe('rwx');
  });

  it('are asked for at each directory on the way', () => {
    run(
      function* (p) {
        yield* p.chmod('/d', 0o600);
        expect(yield* p.access('/d/f', 0), 'root goes anywhere').toBe(0);
        yield* p.setuid(USER);
        expect(yield* p.open('/d/f', RDONLY)).toBe(-Errno.EACCES);
        expect(yield* p.chmod('/d', 0o777)).toBe(-Errno.EPERM);
      },
      { files: [{ path: '/d/f', content: '', mode: 0o666 }] },
    );
  });
});

describe('a directory', () => {
  it('with the sticky bit lets only owners take names away', () => {
    run(
      function* (p) {
        yield* p.setuid(USER);
        expect(yield* p.unlink('/sticky/theirs')).toBe(-Errno.EPERM);
        expect(yield* p.rename('/sticky/theirs', '/sticky/moved')).toBe(-Errno.EPERM);
        expect(yield* p.unlink('/sticky/mine')).toBe(0);
        expect(yield* p.unlink('/open/theirs')).toBe(0);
      },
      {
        files: [
          { path: '/sticky', mode: 0o1777 },
          { path: '/sticky/theirs', content: '', uid: 1 },
          { path: '/sticky/mine', content: '', uid: USER },
          { path: '/open', mode: 0o777 },
          { path: '/open/theirs', content: '', uid: 1 },
        ],
      },
    );
  });

  it('with the set-group-id bit passes its group on, and to directories the bit, too', () => {
    run(
      function* (p) {
        const at = yield* p.allocate(4096);
        const bytes = new Uint8Array(144);
        const made = [];
        yield* p.umask(0);
        for (const directory of ['/passes', '/keeps']) {
          yield* p.mkdir(`${directory}/d`, 0o755);
          yield* p.close(yield* p.open(`${directory}/f`, RDWR | CREAT, 0o644));
          for (const name of ['d', 'f']) {
            yield* p.stat(`${directory}/${name}`, at);
            yield* p.loadBytes(at, bytes);
            const { gid, mode } = readStat(bytes);
            made.push([gid, (mode & FileMode.PERMISSIONS).toString(8)]);
          }
        }
        expect(made).toEqual([
          [77, '2755'],
          [77, '644'],
          [0, '755'],
          [0, '644'],
        ]);
      },
      {
        files: [
          { path: '/passes', mode: 0o2777, gid: 77 },
          { path: '/keeps', mode: 0o777, gid: 77 },
        ],
      },
    );
  });
});

describe('the set-user-id bit', () => {
  it('does not outlive a change by somebody without privileges', () => {
    run(
      function* (p) {
        const at = yield* p.allocate(4096);
        const bytes = new Uint8Array(144);
        const mode = function* (path: string) {
          yield* p.stat(path, at);
          yield* p.loadBytes(at, bytes);
          return readStat(bytes).mode & FileMode.PERMISSIONS;
        };
        yield* say(p, yield* p.open('/program', RDWR), at, 'by root');
        expect(yield* mode('/program')).toBe(0o4777);
        yield* p.setuid(USER);
        yield* say(p, yield* p.open('/program', RDWR), at, 'by another');
        expect(yield* mode('/program')).toBe(0o777);
      },
      { files: [{ path: '/program', content: '', mode: 0o4777 }] },
    );
  });
});
