import type { CpuProfile } from '@rpal/hw-x86';

/** Offsets in `struct rt_sigframe` on x86-64: return address, `struct ucontext`, `siginfo_t`. @public for engines of machine code */
export const Frame = {
  returnAddress: 0,
  flags: 8,
  stack: 24,
  /** `struct sigcontext`: general registers in its order, then segments and the fault. */
  registers: 48,
  error: 200,
  trap: 208,
  oldMask: 216,
  cr2: 224,
  fpState: 232,
  mask: 304,
  info: 312,
  bytes: 440,
} as const;

/** General registers in `struct sigcontext`, 8 bytes each. @public for engines of machine code */
export const Register = {
  r8: 0,
  r9: 1,
  r10: 2,
  r11: 3,
  r12: 4,
  r13: 5,
  r14: 6,
  r15: 7,
  rdi: 8,
  rsi: 9,
  rbp: 10,
  rbx: 11,
  rdx: 12,
  rax: 13,
  rcx: 14,
  rsp: 15,
  rip: 16,
  eflags: 17,
} as const;

/** Offsets in `siginfo_t`. @public for engines of machine code */
export const Info = { signal: 0, error: 4, code: 8, pid: 16, uid: 20, value: 24, address: 16, key: 32 } as const;

/** Of `uc_flags`: there is extended state; SS is kept, and restored. */
export const UC_FLAGS = 0x1 | 0x2 | 0x4;

/** Where extended state lies within an XSAVE area, and what it is marked with (arch/x86/include/uapi/asm/sigcontext.h). */
export const Xsave = { software: 464, header: 512, MAGIC_1: 0x4650_5853, MAGIC_2: 0x4650_5845, magicBytes: 4 } as const;

/** An XSAVE area as a CPU lays it out for user memory: uncompacted. */
export interface XsaveLayout {
  /** Features in it, as in XCR0. */
  readonly features: number;
  readonly bytes: number;
  /** Where PKRU lies; 0: there is none. */
  readonly pkru: number;
}

const Feature = { FP: 1, SSE: 2, AVX: 4, AVX512: 0xe0, PKRU: 0x200 } as const;

/**
 * The area of a profile's CPU. Intel leaves the room that MPX had, and puts PKRU behind AVX-512; AMD packs more densely: Zen 3 has no AVX-512, Zen 4
 * has (as their kernels print it at boot).
 */
export function xsaveLayout({ title, name, features }: CpuProfile): XsaveLayout {
  const amd = /AMD|EPYC|Zen/.test(title);
  const wide = !amd || /9\d\d4|9\d\d5|Zen [4-9]/.test(`${name} ${title}`);
  const base = Feature.FP | Feature.SSE | Feature.AVX | (wide ? Feature.AVX512 : 0);
  const pkru = amd ? (wide ? 2432 : 832) : 2688;
  return features.pku ? { features: base | Feature.PKRU, bytes: pkru + 8, pkru } : { features: base, bytes: pkru, pkru: 0 };
}
