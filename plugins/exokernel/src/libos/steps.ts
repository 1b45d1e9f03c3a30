import { defineSteps } from '@rpal/hw-x86';

/** What the library OS executes in user mode. Its loads and stores are paid for where they happen. */
export const LibraryStep = defineSteps('@rpal/exokernel/library', {
  lrpcCall: {
    cause: 'library',
    mode: 'user',
    instructions: [14, 20, 30],
    status: 'estimated',
    source: 'callee-saved registers, stack and address to come back to stored; the number of the procedure: estimated',
  },
  lrpcEntry: {
    cause: 'library',
    mode: 'user',
    instructions: [12, 18, 28],
    status: 'estimated',
    source: 'a stack found, the procedure looked up in a table and called: estimated',
  },
  lrpcExit: {
    cause: 'library',
    mode: 'user',
    instructions: [6, 10, 16],
    status: 'estimated',
    source: 'the result to its register, the stack put back, the caller named: estimated',
  },
  lrpcReturn: {
    cause: 'library',
    mode: 'user',
    instructions: [14, 20, 30],
    status: 'estimated',
    source: 'registers and stack as they were: estimated',
  },
  saveRegisters: {
    cause: 'library',
    mode: 'user',
    instructions: [28, 35, 45],
    status: 'estimated',
    source: 'registers of a program stored before a turn ends: estimated',
  },
  loadRegisters: {
    cause: 'library',
    mode: 'user',
    instructions: [28, 35, 45],
    status: 'estimated',
    source: 'the same loaded when the next one begins: estimated',
  },
  pipeWrite: {
    cause: 'library',
    mode: 'user',
    instructions: [50, 80, 130],
    status: 'estimated',
    source:
      'write(): a procedure with a frame, descriptor, kind of file and lock looked at, length and pointer checked, one word moved: estimated',
  },
  pipeRead: {
    cause: 'library',
    mode: 'user',
    instructions: [50, 80, 130],
    status: 'estimated',
    source: 'read(), likewise: estimated',
  },
  inlineWrite: {
    cause: 'library',
    mode: 'user',
    instructions: [20, 35, 55],
    status: 'estimated',
    source: 'two counts compared, one word moved, no procedure and no descriptor: estimated',
  },
  inlineRead: {
    cause: 'library',
    mode: 'user',
    instructions: [20, 35, 55],
    status: 'estimated',
    source: 'likewise: estimated',
  },
});
