import { describe, expect, it } from 'vitest';
import { Access, FaultCode, mapPage, PAGE_SIZE, Pte, xrstorPkru, xsavePkru } from '../src/index.js';
import { bareCpu, emptyTable, USER_RW, XEON } from './support.js';

const KEY = 5;
const AD = 1 << (2 * KEY);
const WD = 2 << (2 * KEY);

const SDM = 'SDM vol. 3, 4.6.2';
const CODE = 'SDM vol. 3, 4.7';

interface Case {
  readonly what: string;
  /** Where the rule stands. */
  readonly source: string;
  readonly access: number;
  readonly pkru: number;
  /** Rights of the page besides being present; user and writable if not given. */
  readonly page?: number;
  readonly wp?: boolean;
  readonly smap?: boolean;
  readonly pke?: boolean;
  /** The error code, or undefined if the access goes through. */
  readonly code?: number;
}

const READ = Access.read | Access.user;
const WRITE = Access.write | Access.user;
const FETCH = Access.fetch | Access.user;
const KERNEL_READ = Access.read | Access.ac;
const KERNEL_WRITE = Access.write | Access.ac;
const { present: P, write: W, user: U, protectionKey: PK } = FaultCode;

/** Protection keys for user pages, case by case. The page has key 5. */
const CASES: readonly Case[] = [
  { what: 'user read, key open', source: SDM, access: READ, pkru: ~(AD | WD) },
  { what: 'user write, key open', source: SDM, access: WRITE, pkru: ~(AD | WD) },
  { what: 'user read, access disabled', source: SDM, access: READ, pkru: AD, code: P | U | PK },
  { what: 'user write, access disabled', source: SDM, access: WRITE, pkru: AD, code: P | W | U | PK },
  { what: 'user read, write disabled', source: SDM, access: READ, pkru: WD },
  { what: 'user write, write disabled', source: SDM, access: WRITE, pkru: WD, code: P | W | U | PK },
  { what: 'user fetch, everything disabled: keys do not apply to fetches', source: SDM, access: FETCH, pkru: AD | WD },
  { what: 'other keys closed', source: SDM, access: WRITE, pkru: ~(AD | WD) },
  { what: 'CR4.PKE clear: keys do not apply', source: SDM, access: WRITE, pkru: AD | WD, pke: false },
  {
    what: 'user write to a read-only page with the key open is no key fault',
    source: CODE,
    access: WRITE,
    pkru: 0,
    page: Pte.user,
    code: P | W | U,
  },
  {
    what: 'user write to a read-only page with the key closed has both reasons: the PK bit says so',
    source: CODE,
    access: WRITE,
    pkru: AD,
    page: Pte.user,
    code: P | W | U | PK,
  },
  { what: 'supervisor read of a user page, access disabled', source: SDM, access: KERNEL_READ, pkru: AD, code: P | PK },
  { what: 'supervisor read of a user page, write disabled', source: SDM, access: KERNEL_READ, pkru: WD },
  { what: 'supervisor write to a user page, write disabled, CR0.WP set', source: SDM, access: KERNEL_WRITE, pkru: WD, code: P | W | PK },
  { what: 'supervisor write to a user page, write disabled, CR0.WP clear', source: SDM, access: KERNEL_WRITE, pkru: WD, wp: false },
  {
    what: 'supervisor write to a user page, access disabled, CR0.WP clear',
    source: SDM,
    access: KERNEL_WRITE,
    pkru: AD,
    wp: false,
    code: P | W | PK,
  },
  { what: 'supervisor access to a supervisor page: PKRU does not apply', source: SDM, access: Access.write, pkru: -1, page: Pte.writable },
  { what: 'user access to a supervisor page is no key fault', source: CODE, access: READ, pkru: -1, page: Pte.writable, code: P | U },
  { what: 'supervisor access without AC under SMAP, key open', source: CODE, access: Access.read, pkru: 0, code: P },
  { what: 'supervisor access without AC under SMAP, key closed: both reasons', source: CODE, access: Access.read, pkru: AD, code: P | PK },
  { what: 'supervisor access without AC, SMAP off, key closed', source: SDM, access: Access.read, pkru: AD, smap: false, code: P | PK },
];

describe('protection keys', () => {
  it.each(CASES)('$what ($source)', ({ access, pkru, page = USER_RW, wp = true, smap = true, pke = true, code }) => {
    // Once with the walk, once from the TLB: keys are checked on hits, with the PKRU of the moment.
    for (const warm of [false, true]) {
      const { cpu, memory, root } = bareCpu();
      const frame = emptyTable(memory);
      mapPage(memory, root, 0x5000, { frame, flags: page, key: KEY });
      if (warm) {
        Object.assign(cpu.mmu, { pkru: 0, wp: false, smap: false });
        cpu.mmu.translate(0x5000, (access & Access.user) !== 0 && (page & Pte.user) === 0 ? Access.read : access);
      }
      Object.assign(cpu.mmu, { pkru, wp, smap, pke });
      const physical = cpu.mmu.translate(0x5000, access);
      if (code === undefined) expect(physical).toBe(frame * PAGE_SIZE);
      else expect([physical, cpu.mmu.faultCode]).toEqual([-1, code]);
    }
  });

  it('is the key of the entry that maps the page, whatever the size; upper entries have none (SDM vol. 3, tables 4-15 to 4-20)', () => {
    for (const size of [PAGE_SIZE, 0x20_0000, 0x4000_0000]) {
      const { cpu, memory, root } = bareCpu();
      mapPage(memory, root, 0, { frame: 0, flags: USER_RW, key: KEY }, size);
      cpu.mmu.pkru = AD;
      expect(cpu.mmu.translate(0, READ)).toBe(-1);
      expect(cpu.mmu.faultCode).toBe(P | U | PK);
    }
  });

  it('needs no flush when PKRU changes, and one when the key of a page does (pkeys(7), SDM vol. 3, 4.10.2)', () => {
    const { cpu, memory, root } = bareCpu();
    const frame = emptyTable(memory);
    mapPage(memory, root, 0x5000, { frame, flags: USER_RW, key: KEY });
    cpu.wrpkru(0);
    const { walks } = cpu.mmu;
    expect(cpu.mmu.translate(0x5000, WRITE)).toBe(frame * PAGE_SIZE);
    cpu.wrpkru(WD >>> 0);
    expect(cpu.mmu.translate(0x5000, WRITE)).toBe(-1);
    cpu.wrpkru(0);
    expect(cpu.mmu.translate(0x5000, WRITE)).toBe(frame * PAGE_SIZE);
    mapPage(memory, root, 0x5000, { frame, flags: USER_RW | Pte.accessed | Pte.dirty, key: KEY + 1 });
    cpu.wrpkru((AD << 2) >>> 0);
    expect(cpu.mmu.translate(0x5000, WRITE)).toBe(frame * PAGE_SIZE);
    cpu.mmu.invlpg(0x5000);
    expect(cpu.mmu.translate(0x5000, WRITE)).toBe(-1);
    expect(cpu.mmu.walks).toBeGreaterThan(walks);
  });

  it('is XSAVE-managed: saved and loaded as component 9, and opened wide when the area has none (SDM vol. 1, 13.1 and 13.7)', () => {
    const { cpu, memory } = bareCpu();
    const area = emptyTable(memory) * PAGE_SIZE;
    cpu.wrpkru(0x5555_5554);
    xsavePkru(cpu, area);
    expect([memory.read32(area + 512), memory.read32(area + 2688)]).toEqual([1 << 9, 0x5555_5554]);
    cpu.wrpkru(0);
    xrstorPkru(cpu, area);
    expect(cpu.rdpkru()).toBe(0x5555_5554);
    // The initial value: not marked, and read back as such. This is why Linux loads PKRU by itself when it switches tasks.
    cpu.wrpkru(0);
    xsavePkru(cpu, area);
    expect(memory.read32(area + 512)).toBe(0);
    cpu.wrpkru(0xffff_fffc);
    xrstorPkru(cpu, area);
    expect(cpu.rdpkru()).toBe(0);
    expect(() => xsavePkru(cpu, area + 8)).toThrow('is not a multiple of 64: #GP');
  });

  it('is #UD where there are no keys, for WRPKRU, RDPKRU and the XSAVE component alike', () => {
    const { cpu } = bareCpu({ profile: { ...XEON, features: { ...XEON.features, pku: false } } });
    for (const act of [() => cpu.wrpkru(0), () => cpu.rdpkru(), () => xsavePkru(cpu, 0), () => xrstorPkru(cpu, 0)])
      expect(act).toThrow('which has no protection keys: #UD');
  });
});
