import { type CpuProfile, HwStep, profiles } from '@rpal/hw-x86';
import { createMachine, executable, type MachineOptions } from '@rpal/kernel';
import { rpal } from '@rpal/rpal-core';
import { Errno, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { finish } from '../../../scripts/testing/run.ts';
import { attackProfile, callCosts, isolationNames, noMpk, noMpkIsolations, ViewStep } from '../src/index.js';

const withoutKeys = attackProfile('none');
const amd = attackProfile('none', profiles.find(({ vendor }) => vendor === 'amd') as CpuProfile);
const build = (options: MachineOptions) => () => createMachine(options);

describe('a machine without protection keys', () => {
  it('is refused by plain RPAL, which says why', () => {
    expect(build({ profile: withoutKeys, plugins: [rpal()] })).toThrow(
      `slot "rpalIsolation" holds its default, which needs protection keys (PKU), which ${withoutKeys.name} does not have; add a plugin that provides another isolation`,
    );
  });

  it.each(noMpkIsolations)('runs RPAL with isolation %s', (isolation) => {
    const machine = createMachine({ profile: withoutKeys, plugins: [noMpk({ isolation }), rpal()] });
    expect(machine.plugins).toEqual(['@rpal/rpal-core', '@rpal/no-mpk']);
    expect(machine.describe().find(({ name }) => name === 'rpalIsolation')?.plugins).toEqual(['@rpal/no-mpk']);
  });
});

describe('the plugin', () => {
  it('needs RPAL', () => {
    expect(build({ plugins: [noMpk()] })).toThrow(/plugin "@rpal\/no-mpk" requires "@rpal\/rpal-core"/);
  });

  it('refuses VMFUNC on AMD, and says what would do', () => {
    expect(build({ profile: amd, plugins: [rpal(), noMpk({ isolation: 'vmfunc' })] })).toThrow(
      /filled by "@rpal\/no-mpk", which needs VMFUNC, an instruction of Intel's VMX, which .* does not have; choose page-table or none/,
    );
    expect(build({ profile: amd, plugins: [rpal(), noMpk({ isolation: 'page-table' })] })).not.toThrow();
  });

  it('refuses an isolation that it does not know', () => {
    expect(build({ plugins: [rpal(), noMpk({ isolation: 'sgx' as never })] })).toThrow(/no-mpk.*isolation/s);
  });

  it('leaves keys off for everybody where the CPUs have them, as nopku does', () => {
    const machine = createMachine({ profile: attackProfile('mpk'), plugins: [rpal(), noMpk({ isolation: 'none' })] });
    let result = 0;
    machine.spawn(
      executable('user of keys', function* (p) {
        const page = yield* p.allocate(4096);
        result = yield* p.pkeyMprotect(page, 4096, Prot.READ, 3);
      }),
    );
    finish(machine);
    expect(result).toBe(-Errno.EINVAL);
  });
});

describe('a call', () => {
  const [mpk, pageTable, vmfunc, none] = callCosts(isolationNames);

  it('is cheapest without isolation, then with keys, VMFUNC, and a gate through the kernel', () => {
    expect(none?.added).toBe(0);
    const added = [mpk, vmfunc, pageTable].map((cost) => cost?.added ?? 0);
    expect(added).toEqual([...added].sort((a, b) => a - b));
  });

  it('changes rights four times, whatever that costs', () => {
    const { costs } = createMachine({ profile: withoutKeys }).platform;
    const wrpkru = Math.round(costs.primitive('wrpkru'));
    expect(mpk?.added).toBeCloseTo(4 * wrpkru, -1);
    expect(vmfunc?.added).toBe(4 * ((costs.step[HwStep.vmfunc] ?? 0) + (costs.step[ViewStep.findView] ?? 0)));
    expect(pageTable?.added).toBeGreaterThan(4 * (costs.primitive('syscall') + costs.primitive('sysret') + costs.primitive('cr3Write')));
  });
});
