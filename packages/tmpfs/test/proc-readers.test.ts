import { existsSync, readFileSync } from 'node:fs';
import { type Program, Time } from '@rpal/kernel';
import { LinuxCall, MapFlag, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { hear, run } from './support.js';

/** What readers of /proc take apart, in the same way from the model and from the Linux at hand. */
const isLinux = existsSync('/proc/self/smaps_rollup');
const real = (name: string) => readFileSync(`/proc/self/${name}`, 'latin1');
const ROOM = 0x4_0000;

/** The whole text of a file. */
function* text(p: Program, path: string, buffer: number) {
  return `${yield* hear(p, yield* p.open(path, 0), buffer, ROOM)}`;
}

/** Lines `Name: value`. */
function fields(lines: string): Map<string, string> {
  return new Map(
    lines
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon), line.slice(colon + 1)];
      }),
  );
}

/** An area of smaps: its first line, and kibibytes or text by name. */
function areas(smaps: string): { readonly head: string; readonly sizes: Map<string, string> }[] {
  const heads = /^[0-9a-f]+-[0-9a-f]+ [r-][w-][x-][sp] .*$/gm;
  const starts = [...smaps.matchAll(heads)].map(({ index }) => index);
  return starts.map((start, i) => {
    const lines = smaps.slice(start, starts[i + 1]);
    const end = lines.indexOf('\n');
    return { head: lines.slice(0, end), sizes: fields(lines.slice(end + 1)) };
  });
}

const kib = (sizes: Map<string, string>, name: string): number => {
  const value = sizes.get(name) ?? '';
  expect(value, name).toMatch(/^ +\d+ kB$/);
  return Number.parseInt(value, 10);
};

/** What Linux shows and the model does not. */
const WITHOUT = /^(Groups|SigQ|NoNewPrivs|Seccomp.*|Speculation.*|THP_enabled|untag_mask|x86_.*)$/;

/** Laws of smaps that hold for any process. @returns the sums of Rss, Pss and Private_Dirty */
function checkAreas(smaps: string): { rss: number; dirty: number } {
  let [rss, dirty] = [0, 0];
  for (const { head, sizes } of areas(smaps)) {
    const [start = 0, end = 0] = head.split(/[- ]/, 2).map((part) => Number.parseInt(part, 16));
    const of = (name: string) => kib(sizes, name);
    expect(of('Size')).toBe((end - start) / 1024);
    expect(of('Shared_Clean') + of('Shared_Dirty') + of('Private_Clean') + of('Private_Dirty'), head).toBe(of('Rss'));
    expect(of('Pss')).toBeLessThanOrEqual(of('Rss'));
    expect(of('Anonymous')).toBeLessThanOrEqual(of('Rss'));
    expect(sizes.get('VmFlags')).toMatch(/^( [a-z]{2})+ $/);
    rss += of('Rss');
    dirty += of('Private_Dirty') + of('Shared_Dirty');
  }
  return { rss, dirty };
}

describe('what C libraries, allocators and node read in /proc', () => {
  it('smaps and its sums: the lines of Linux in its order, and numbers that add up', () => {
    if (isLinux) checkAreas(real('smaps'));
    run(function* (p) {
      const buffer = yield* p.allocate(ROOM);
      const before = fields(yield* text(p, '/proc/self/smaps_rollup', buffer));
      // 16 pages, of which 5 are written and 3 read.
      const made = yield* p.mmap(0, 16 * 4096, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
      yield* p.mprotect(made + 15 * 4096, 4096, Prot.NONE);
      for (let i = 0; i < 5; i++) yield* p.store8(made + i * 4096, 1);
      for (let i = 5; i < 8; i++) yield* p.load8(made + i * 4096);
      // The first time its text goes to pages of the buffer that are not there yet.
      yield* text(p, '/proc/self/smaps', buffer);
      const lines = yield* text(p, '/proc/self/smaps', buffer);
      const sums = checkAreas(lines);
      const mine = areas(lines).find(({ head }) => head.startsWith(made.toString(16)));
      const sizes = mine?.sizes as Map<string, string>;
      expect(['Size', 'Rss', 'Pss', 'Private_Dirty', 'Referenced', 'Anonymous', 'Shared_Clean'].map((name) => kib(sizes, name))).toEqual([
        60, 20, 20, 20, 20, 20, 0,
      ]);
      expect(sizes.get('VmFlags')).toBe(' rd wr mr mw me ac ');
      expect(mine?.head).toMatch(/^[0-9a-f]+-[0-9a-f]+ rw-p 00000000 00:00 0 $/);
      const rollup = yield* text(p, '/proc/self/smaps_rollup', buffer);
      expect(rollup).toMatch(/^[0-9a-f]+-[0-9a-f]+ ---p 00000000 00:00 0 +\[rollup\]\nRss: +\d+ kB\n/);
      const sum = fields(rollup.slice(rollup.indexOf('\n') + 1));
      expect(kib(sum, 'Rss')).toBe(sums.rss);
      expect(kib(sum, 'Private_Dirty') + kib(sum, 'Shared_Dirty')).toBe(sums.dirty);
      expect(kib(sum, 'Rss') - kib(before, 'Rss')).toBeGreaterThanOrEqual(20);
      if (isLinux) {
        const [first] = areas(real('smaps'));
        const names = [...sizes.keys()].filter((name) => name !== 'ProtectionKey');
        expect(names).toEqual([...(first?.sizes.keys() ?? [])].filter((name) => name !== 'ProtectionKey'));
        const realRollup = real('smaps_rollup');
        expect([...sum.keys()]).toEqual([...fields(realRollup.slice(realRollup.indexOf('\n') + 1)).keys()]);
      }
    });
  });

  it('smaps: after a fork each counts half of what both have, and a key has its line', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(ROOM);
      const made = yield* p.mmap(0, 4 * 4096, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
      for (let i = 0; i < 4; i++) yield* p.store8(made + i * 4096, 1);
      const key = yield* p.pkeyAlloc(0, 0);
      yield* p.pkeyMprotect(made, 4 * 4096, Prot.READ | Prot.WRITE, key);
      const child = yield* p.fork(function* (q) {
        yield* q.sleep(Time.ms);
      });
      const found = areas(yield* text(p, '/proc/self/smaps', buffer)).find(({ head }) => head.startsWith(made.toString(16)));
      const sizes = found?.sizes as Map<string, string>;
      expect(['Rss', 'Pss', 'Shared_Dirty', 'Private_Dirty'].map((name) => kib(sizes, name))).toEqual([16, 8, 16, 0]);
      expect(Number(sizes.get('ProtectionKey'))).toBe(key);
      expect(yield* p.wait()).toBe(child);
    });
  });

  it('status: the lines of Linux in its order', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(ROOM);
      yield* p.syscall(LinuxCall.getpid);
      const status = yield* text(p, '/proc/self/status', buffer);
      const found = fields(status);
      expect(status).toMatch(/^VmRSS:\t +\d+ kB$/m);
      expect(status).toMatch(/^Uid:\t0\t0\t0\t0$/m);
      expect(status).toMatch(/^Groups:\t $/m);
      expect(status).toMatch(/^CapEff:\t000001ffffffffff$/m);
      const of = (name: string) => Number.parseInt(found.get(name)?.trim() ?? '', 10);
      expect(of('RssAnon') + of('RssFile') + of('RssShmem')).toBe(of('VmRSS'));
      // A thread of its own directory.
      expect(yield* text(p, '/proc/self/task/1/status', buffer)).toContain('\nTgid:\t1\n');
      if (!isLinux) return;
      const linux = [...fields(real('status')).keys()].filter((name) => !WITHOUT.test(name));
      expect([...found.keys()].filter((name) => !WITHOUT.test(name))).toEqual(linux);
    });
  });

  it('stat, statm, limits and mountinfo: as many fields as in Linux, and each what it is', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(ROOM);
      const stat = (yield* text(p, '/proc/self/stat', buffer))
        .replace(/\(.*\)/, 'name')
        .trim()
        .split(' ');
      expect(stat).toHaveLength(52);
      const [pid, , state, , group, session] = stat;
      expect([pid, state, group, session]).toEqual(['1', 'R', '1', '1']);
      const statm = (yield* text(p, '/proc/self/statm', buffer)).trim().split(' ').map(Number);
      expect(statm).toHaveLength(7);
      const status = fields(yield* text(p, '/proc/self/status', buffer));
      expect([(statm[0] as number) * 4, (statm[1] as number) * 4]).toEqual(
        ['VmSize', 'VmRSS'].map((name) => Number.parseInt(status.get(name)?.trim() ?? '', 10)),
      );
      expect(Number(stat[22]) / 1024).toBe((statm[0] as number) * 4);
      const limits = yield* text(p, '/proc/self/limits', buffer);
      expect(limits).toContain('Max stack size            8388608              unlimited            bytes     \n');
      const mounts = (yield* text(p, '/proc/self/mountinfo', buffer)).trim().split('\n');
      for (const line of mounts) expect(line).toMatch(/^\d+ \d+ \d+:\d+ \/ \/\S* rw,relatime - \S+ \S+ rw$/);
      expect(mounts.map((line) => line.split(' ')[4])).toContain('/proc');
      if (!isLinux) return;
      expect(
        real('stat')
          .replace(/\(.*\)/, 'name')
          .trim()
          .split(' '),
      ).toHaveLength(52);
      // Names and units of limits, whatever they are.
      const columns = (lines: string) => lines.split('\n').map((line) => line.slice(0, 25) + line.slice(68));
      expect(columns(limits)).toEqual(columns(real('limits')));
    });
  });
});
