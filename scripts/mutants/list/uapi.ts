import type { Group } from '../mutant.ts';

export const uapi: Group = {
  package: 'packages/uapi',
  tests: ['errno', 'signal', 'headers'],
  mutants: [
    { kind: 'errno', text: 'ENOTCONN: 107,', mutated: 'ENOTCONN: 108,' },
    { kind: 'errno', text: 'ECONNRESET: 104,', mutated: 'ECONNRESET: 103,' },
    { kind: 'errno', text: 'Math.abs(result)}`', mutated: 'result}`' },
    { kind: 'errno', text: 'return names.get(Math.abs(result)) ??', mutated: 'return names.get(result) ??' },
    { kind: 'state', text: 'ET: 1 << 31,', mutated: 'ET: 1 << 27,' },
    { kind: 'state', text: 'export const EPOLL_EVENT_SIZE = 12;', mutated: 'export const EPOLL_EVENT_SIZE = 16;' },
    { kind: 'state', text: 'WAITERS: 0x8000_0000 | 0', mutated: 'WAITERS: 0x8000_0000' },
    { kind: 'state', text: 'CREAT: 0o1000,', mutated: 'CREAT: 1000,' },
    { kind: 'state', text: 'OFD_SETLKW: 38,', mutated: 'OFD_SETLKW: 37,' },
    {
      kind: 'bound',
      text: 'signal > Signal.RTMIN && signal < Signal.RTMAX',
      mutated: 'signal > Signal.RTMIN && signal <= Signal.RTMAX + 1',
    },
    { kind: 'bound', text: 'name.startsWith(family) && value === code', mutated: 'value === code' },
    { kind: 'permission', text: 'EXEC: 4, GROWSDOWN', mutated: 'EXEC: 8, GROWSDOWN' },
  ],
};
