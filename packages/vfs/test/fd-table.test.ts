import { Errno, OpenFlag } from '@rpal/uapi';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FdTable, File, VfsStep } from '../src/index.js';
import { Lab } from './lab.js';

class Counted extends File {
  released = 0;
  override release(): void {
    this.released++;
  }
}

describe('a descriptor table', () => {
  const { cpu } = new Lab();

  it('gives the lowest free descriptor, and no more than its limit', () => {
    const table = new FdTable();
    table.limit = 3;
    const file = new Counted(0);
    expect([1, 2, 3, 4].map(() => table.install(cpu, file))).toEqual([0, 1, 2, -Errno.EMFILE]);
    table.close(cpu, 1);
    expect(table.install(cpu, file)).toBe(1);
    expect(table.close(cpu, 7)).toBe(-Errno.EBADF);
    expect(table.replace(cpu, 3, file)).toBe(-Errno.EBADF);
  });

  it('charges for looking a descriptor up, found or not; observers look for nothing', () => {
    const lab = new Lab();
    const file = new Counted(0);
    lab.files.install(lab.cpu, file);
    expect([lab.files.peek(0), lab.spentOn(VfsStep.fdLookup)]).toEqual([file, 0]);
    expect([0, 5, -1].map((fd) => lab.files.lookUp(lab.cpu, fd))).toEqual([file, null, null]);
    expect(lab.spentOn(VfsStep.fdLookup)).toBe(3 * (lab.cpu.costs.step[VfsStep.fdLookup] as number));
  });

  it('releases a file with its last reference, wherever that is', () => {
    const table = new FdTable();
    const file = new Counted(0);
    table.install(cpu, file);
    const child = table.fork();
    table.close(cpu, 0);
    expect(file.released).toBe(0);
    child.replace(cpu, 0, new Counted(0));
    expect(file.released).toBe(1);
  });

  it('closes on exec what is marked so', () => {
    const table = new FdTable();
    const stays = new Counted(0);
    const goes = new Counted(0);
    table.install(cpu, stays);
    table.install(cpu, goes, OpenFlag.CLOEXEC);
    expect([table.closesOnExec(0), table.closesOnExec(1)]).toEqual([false, true]);
    table.exec(cpu);
    expect([stays.released, goes.released, table.peek(1)]).toEqual([0, 1, null]);
  });

  it('is copied by fork with its limit and its marks; then both go their own ways', () => {
    const table = new FdTable();
    table.limit = 2;
    table.install(cpu, new Counted(0));
    table.install(cpu, new Counted(0), OpenFlag.CLOEXEC);
    const child = table.fork();
    expect([child.closesOnExec(0), child.closesOnExec(1), child.install(cpu, new Counted(0))]).toEqual([false, true, -Errno.EMFILE]);
    child.exec(cpu);
    expect([child.peek(1), table.peek(1)]).toEqual([null, expect.any(Counted)]);
    expect([child.install(cpu, new Counted(0)), table.install(cpu, new Counted(0))]).toEqual([1, -Errno.EMFILE]);
  });

  it('behaves as a list searched from the start would, under any sequence of calls', () => {
    const call = fc.record({ kind: fc.constantFrom('install', 'from', 'close', 'replace'), fd: fc.nat(12) });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
        const table = new FdTable();
        table.limit = 10;
        const list: (File | null)[] = Array.from({ length: 10 }, () => null);
        for (const { kind, fd } of calls) {
          const file = new Counted(0);
          if (kind === 'close') {
            const there = list[fd] != null;
            expect(table.close(cpu, fd)).toBe(there ? 0 : -Errno.EBADF);
            if (there) list[fd] = null;
          } else if (kind === 'replace') {
            expect(table.replace(cpu, fd, file)).toBe(fd < 10 ? fd : -Errno.EBADF);
            if (fd < 10) list[fd] = file;
          } else {
            const from = kind === 'from' ? fd : 0;
            const free = list.findIndex((other, at) => other === null && at >= from);
            expect(table.install(cpu, file, 0, from)).toBe(free < 0 ? -Errno.EMFILE : free);
            if (free >= 0) list[free] = file;
          }
          expect(list.map((_, at) => table.peek(at))).toEqual(list);
        }
      }),
    );
  });
});
