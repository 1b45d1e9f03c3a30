import { defineSteps } from '@rpal/hw-x86';

/** What the exokernel's own code costs beside CR3 loads, INVLPG and exceptions, which the hardware charges. */
export const ExoStep = defineSteps('@rpal/exokernel', {
  /** Into the kernel, to a call's code, and back: no table is looked up, no stack is changed. */
  systemCall: {
    cause: 'entry',
    mode: 'kernel',
    instructions: [12, 18, 30],
    events: { syscall: 1, sysret: 1, bhbClear: 1 },
    status: 'estimated',
    source: 'three registers saved and restored, the number checked, an indirect jump: estimated',
  },
  /** A protected control transfer without its load of CR3: in at one environment, out at the other. */
  transfer: {
    cause: 'switch',
    mode: 'kernel',
    instructions: [24, 30, 38],
    events: { syscall: 1, sysret: 1, bhbClear: 1 },
    status: 'recalled',
    source: 'Engler et al., Exokernel, SOSP 1995: some 30 instructions of the R3000',
  },
  /** A time slice is over: the timer, the program told, the next slot found. */
  sliceEnd: {
    cause: 'switch',
    mode: 'kernel',
    instructions: [40, 70, 120],
    events: { interrupt: 1, iret: 1 },
    status: 'estimated',
    source: 'timer acknowledged, registers saved for the program, the next slot of the vector: estimated',
  },
  /** The CPU goes to another environment without an interrupt, on top of a system call. */
  switchSlot: {
    cause: 'switch',
    mode: 'kernel',
    instructions: [20, 35, 60],
    status: 'estimated',
    source: 'registers of one stored and of the other loaded, the slot vector looked at: estimated',
  },
  /** Nobody wants the CPU. */
  idle: { cause: 'idle', status: 'derived', source: 'the time itself' },
  /** A capability held against its frame. */
  check: {
    cause: 'process',
    mode: 'kernel',
    instructions: [15, 25, 45],
    status: 'estimated',
    source: 'a keyed hash of three words, compared: estimated',
  },
  /** An entry of a page table: found, its bits held against what is allowed, and written. */
  entry: {
    cause: 'memory',
    mode: 'kernel',
    instructions: [25, 40, 65],
    status: 'estimated',
    source: 'four levels walked, two masks, one store, the frame notes who shows it: estimated',
  },
  /** A frame taken from the free ones, or put back. */
  frame: {
    cause: 'memory',
    mode: 'kernel',
    instructions: [20, 30, 50],
    status: 'estimated',
    source: 'a list, an owner, a generation: estimated',
  },
  zero: {
    cause: 'memory',
    mode: 'kernel',
    instructions: [5, 8, 12],
    perByte: 'zero',
    status: 'derived',
    source: 'profile: bytesPerCycle.zero',
  },
  /** An exception handed to the program, between its delivery and IRET. */
  forward: {
    cause: 'fault',
    mode: 'kernel',
    instructions: [15, 18, 24],
    status: 'recalled',
    source: 'Engler et al., Exokernel, SOSP 1995: 18 instructions of the R3000: three registers and the cause to the save area',
  },
  /** A handler ends: three registers from the save area, and a jump. The kernel has no part in it. */
  resume: {
    cause: 'fault',
    mode: 'user',
    instructions: [4, 6, 10],
    status: 'estimated',
    source: 'three loads, the stack pointer, a jump: estimated',
  },
  /** Code of filters that a packet meets, by the instructions that are executed. */
  classify: {
    cause: 'socket',
    mode: 'kernel',
    status: 'derived',
    source: 'instructions of the emitted code, at the cycles of the profile',
  },
  /** One operation of a filter's code emitted. */
  compile: {
    cause: 'process',
    mode: 'kernel',
    instructions: [30, 60, 120],
    status: 'estimated',
    source: 'the trie gone through, the operation chosen, its words stored: estimated',
  },
  /** The kernel takes a page by force. */
  abort: {
    cause: 'memory',
    mode: 'kernel',
    instructions: [60, 100, 180],
    status: 'estimated',
    source: 'its bindings found and cleared, a line of the repossession vector written: estimated',
  },
  /** An environment is taken out of everything. */
  end: {
    cause: 'process',
    mode: 'kernel',
    instructions: [300, 600, 1200],
    status: 'estimated',
    source: 'slots, waiting callers and frames gone through: estimated',
  },
});
