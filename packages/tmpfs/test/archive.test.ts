import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMachine } from '@rpal/kernel';
import { OpenFlag, Seek } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { ArchiveError, type FileRecord, filesOfArchive, filesOfCpio, filesOfTar, readStat, tmpfs } from '../src/index.js';
import { hear, run } from './support.js';

const text = (content: FileRecord['content']) => (content instanceof Uint8Array ? new TextDecoder().decode(content) : content);

/** One header of cpio's newc format with its contents. */
function cpioEntry(path: string, mode: number, content: string, fields: { inode?: number; links?: number; time?: number } = {}): string {
  const { inode = 1, links = 1, time = 7 } = fields;
  const numbers = [inode, mode, 5, 6, links, time, content.length, 8, 1, 1, 3, path.length + 1, 0];
  const head = `070701${numbers.map((n) => n.toString(16).padStart(8, '0')).join('')}${path}\0`;
  const padded = (part: string) => part.padEnd(Math.ceil(part.length / 4) * 4, '\0');
  return padded(head) + padded(content);
}

const cpio = (...entries: string[]) => new TextEncoder().encode(entries.join('') + cpioEntry('TRAILER!!!', 0, ''));

describe('an archive of cpio', () => {
  it('gives directories, files, links and devices with owners, modes and times', () => {
    const records = filesOfCpio(
      cpio(
        cpioEntry('d', 0o040750, ''),
        cpioEntry('d/f', 0o104644, 'five5'),
        cpioEntry('l', 0o120777, 'd/f'),
        cpioEntry('null', 0o020666, ''),
        cpioEntry('p', 0o010600, ''),
      ),
    );
    expect(records.map(({ path, type, mode, uid, gid, time }) => [path, type, mode, uid, gid, time])).toEqual([
      ['d', 'directory', 0o750, 5, 6, 7],
      ['d/f', 'file', 0o4644, 5, 6, 7],
      ['l', 'symlink', 0o777, 5, 6, 7],
      ['null', 'character', 0o666, 5, 6, 7],
      ['p', 'fifo', 0o600, 5, 6, 7],
    ]);
    expect([text(records[1]?.content), records[2]?.target, records[3]?.major, records[3]?.minor]).toEqual(['five5', 'd/f', 1, 3]);
  });

  it('has the contents of a file with several names behind the last of them', () => {
    const two = { inode: 9, links: 2 };
    const records = filesOfCpio(cpio(cpioEntry('a', 0o100600, '', two), cpioEntry('b', 0o100600, 'both', two)));
    expect(records).toMatchObject([
      { path: 'a', type: 'file' },
      { path: 'b', type: 'link', target: 'a' },
    ]);
    expect(text(records[0]?.content)).toBe('both');
  });

  it('is refused with the place where it is cut or garbled', () => {
    const whole = cpio(cpioEntry('a', 0o100600, 'content'));
    expect(() => filesOfCpio(whole.subarray(0, 118))).toThrow(new ArchiveError('the cpio archive is cut within "a"'));
    expect(() => filesOfCpio(whole.subarray(0, 120))).toThrow('is cut at byte 120: its trailer is missing');
    expect(() => filesOfCpio(whole.map((byte, i) => (i === 10 ? 0x7a : byte)))).toThrow(
      'at byte 6 of the cpio archive "0000z001" is not a number',
    );
    expect(() => filesOfArchive(new Uint8Array([1, 2, 3]))).toThrow('these 3 bytes are an archive neither of tar nor of cpio');
  });
});

describe("an archive of the computer's own tar", () => {
  const place = mkdtempSync(join(tmpdir(), 'rpal-tar-'));
  const long = 'n'.repeat(120);
  mkdirSync(join(place, 'd'));
  writeFileSync(join(place, 'd', long), 'of a long name', { mode: 0o640 });
  writeFileSync(join(place, 'grün'), 'green');
  symlinkSync('d', join(place, 'l'));
  const archive = (format: string) =>
    new Uint8Array(
      execFileSync('tar', ['-c', `--format=${format}`, '--owner=:5', '--group=:6', '--mtime=@70', '-C', place, 'd', 'grün', 'l']),
    );
  const archives = { gnu: archive('gnu'), pax: archive('pax'), ustar: archive('posix') };
  rmSync(place, { recursive: true });

  it.for(Object.entries(archives))('is read in format %s', ([, bytes]) => {
    const records = filesOfTar(bytes);
    expect(records.map(({ path, type, uid, gid, time }) => [path, type, uid, gid, time])).toEqual([
      ['d/', 'directory', 5, 6, 70],
      [`d/${long}`, 'file', 5, 6, 70],
      ['grün', 'file', 5, 6, 70],
      ['l', 'symlink', 5, 6, 70],
    ]);
    expect([text(records[1]?.content), records[1]?.mode, records[3]?.target]).toEqual(['of a long name', 0o640, 'd']);
  });

  it('has a hole where a record is larger than its contents', () => {
    run(
      function* (p) {
        const at = yield* p.allocate(4096);
        const fd = yield* p.open('/large', OpenFlag.RDONLY);
        expect([yield* p.lseek(fd, 0, Seek.END), yield* p.lseek(fd, 0, Seek.HOLE)]).toEqual([2 ** 30, 4096]);
        yield* p.lseek(fd, 0, Seek.SET);
        expect(yield* hear(p, fd, at, 5)).toBe('abc\0\0');
      },
      { files: [{ path: '/large', content: 'abc', size: 2 ** 30 }] },
    );
  });

  it('is what the tree begins with, before the records', () => {
    const files: FileRecord[] = [
      { path: 'd/more', content: 'more' },
      { path: 'd', mode: 0o700 },
    ];
    run(
      function* (p) {
        const at = yield* p.allocate(4096);
        expect(yield* hear(p, yield* p.open(`/l/${long}`, OpenFlag.RDONLY), at)).toBe('of a long name');
        expect(yield* hear(p, yield* p.open('/l/more', OpenFlag.RDONLY), at)).toBe('more');
        expect(yield* hear(p, yield* p.open('/grün', OpenFlag.RDONLY), at), 'names are UTF-8').toBe('green');
        yield* p.stat('/d', at);
        const bytes = new Uint8Array(144);
        yield* p.loadBytes(at, bytes);
        expect(readStat(bytes)).toMatchObject({ mode: 0o040700, uid: 5, gid: 6, modified: [70, 0] });
      },
      { archive: archives.pax, files },
    );
  });

  it('is refused with the place where it is cut or garbled', () => {
    const { gnu } = archives;
    expect(() => filesOfTar(gnu.subarray(0, 512))).toThrow('is cut at byte 512: it has no end');
    expect(() => filesOfTar(gnu.map((byte, i) => (i === 3 ? byte + 1 : byte)))).toThrow('at byte 0 of the tar archive there is no header');
  });
});

describe('records that no tree can be made from', () => {
  it.for<[FileRecord[], string]>([
    [[{ path: 'a/../b', content: '' }], 'its path has ".."'],
    [
      [
        { path: 'a', content: '' },
        { path: 'a/b', content: '' },
      ],
      '"a" on its way is not a directory',
    ],
    [
      [
        { path: 'a', content: '' },
        { path: 'a', content: '' },
      ],
      'there is such a file already',
    ],
    [[{ path: 'a', type: 'link', target: 'b' }], 'there is no file "b" to link to before it'],
    [[{ path: 'a', type: 'symlink' }], 'a symbolic link needs a target'],
    [[{ path: 'x'.repeat(256), content: '' }], 'longer than 255 bytes'],
  ])('are refused: %j', ([files, why]) => {
    expect(() => createMachine({ plugins: [tmpfs({ files })] })).toThrow(why);
  });
});
