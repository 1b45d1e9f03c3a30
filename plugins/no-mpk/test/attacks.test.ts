import { describe, expect, it } from 'vitest';
import { type AttackName, attackMatrix, formatMatrix, type IsolationName, isolationNames } from '../src/index.js';

const matrix = attackMatrix();

const succeeding = (name: AttackName): IsolationName[] => isolationNames.filter((isolation) => matrix[name][isolation].succeeds);

describe('what an attacker in a peer can do', () => {
  it('outside a call: nothing to private memory, unless there is no isolation', () => {
    for (const name of ['stray read', 'stray write'] as const) {
      expect(succeeding(name)).toEqual(['none']);
      for (const isolation of ['mpk', 'page-table', 'vmfunc'] as const) {
        expect(matrix[name][isolation]).toMatchObject({ crashes: 'attacker', detail: 'a fault' });
      }
    }
  });

  it('inside the window of a call: everything, whatever isolates: the window is the whole slice', () => {
    expect(succeeding('read inside a call window')).toEqual(isolationNames);
  });

  it('WRPKRU(0) opens every peer where there are keys, and is not an instruction where there are none', () => {
    expect(succeeding('WRPKRU(0)')).toEqual(['mpk']);
    expect(matrix['WRPKRU(0)']['page-table']).toMatchObject({ crashes: 'attacker', detail: 'no such instruction' });
  });

  it('VMFUNC by the attacker itself opens what is on its list, leaves the list no other way, and is not an instruction elsewhere', () => {
    expect(succeeding('VMFUNC to a view on the list')).toEqual(['vmfunc']);
    expect(succeeding('VMFUNC to a view off the list')).toEqual([]);
    for (const isolation of isolationNames) {
      expect(matrix['VMFUNC to a view off the list'][isolation]).toMatchObject({ crashes: 'attacker', detail: 'no such instruction' });
    }
  });

  it('only the kernel gate asks who opens the window', () => {
    expect(succeeding('window opened by a thread without a role')).toEqual(['mpk', 'vmfunc', 'none']);
  });

  it('a forged FS base has the kernel execute a system call as the victim: isolation has no part in it', () => {
    expect(succeeding('forged FS base')).toEqual(isolationNames);
  });

  it("keys do not govern instruction fetches; views hide the peer's code too", () => {
    expect(succeeding("jump into the peer's code")).toEqual(['mpk', 'none']);
  });

  it('forged call words make a victim that nobody can wake', () => {
    for (const isolation of isolationNames) expect(matrix['forged call words'][isolation]).toMatchObject({ succeeds: true, hangs: true });
  });

  it('a callee cannot look into its caller, unless there is no isolation; as posted it takes the machine along when it dies of it', () => {
    expect(matrix['callee reads the caller'].none).toMatchObject({ succeeds: true, crashes: 'nobody' });
    for (const isolation of ['mpk', 'page-table', 'vmfunc'] as const) {
      // A receiver that ends before the kernel has gone back to its caller (patches 20 and 26, quirk receiver-ends-before-return).
      expect(matrix['callee reads the caller'][isolation]).toMatchObject({ succeeds: true, crashes: 'machine' });
    }
  });

  it('prints as one matrix', () => {
    const lines = formatMatrix(matrix, [{ isolation: 'mpk', call: 1238.4, added: 80 }]).split('\n');
    expect(lines).toHaveLength(1 + Object.keys(matrix).length + 2);
    expect(lines[0]).toMatch(/^ +mpk +page-table +vmfunc +none$/);
    expect(lines.at(-2)).toMatch(/^cycles of a call +1238 +- +- +-$/);
  });
});
