/** Interrupt vectors as Linux on x86-64 assigns them (arch/x86/include/asm/irq_vectors.h). */
export const Vector = {
  nmi: 2,
  callFunction: 0xfc,
  callFunctionSingle: 0xfb,
  reschedule: 0xfd,
  localTimer: 0xec,
} as const;

/** Exception vectors (SDM vol. 3, table 6-1). */
export const Exception = {
  divide: 0,
  invalidOpcode: 6,
  generalProtection: 13,
  pageFault: 14,
} as const;
