import type { Group } from '../mutant.ts';

export const bench: Group = {
  package: 'apps/bench',
  tests: ['verdicts', 'failures'],
  mutants: [
    { kind: 'bound', text: 'if (largest === sizes.at(-1)) return', mutated: 'if (largest === undefined) return', tests: ['verdicts'] },
    {
      kind: 'bound',
      text: 'largest !== undefined && largest < 512 && sizes.includes(512)',
      mutated: 'largest !== undefined',
      tests: ['verdicts'],
    },
    { kind: 'bound', text: 'ratio >= 1 ?', mutated: 'ratio < 1 ?', tests: ['verdicts'] },
    { kind: 'bound', text: 'call[1] > yielding[1] ?', mutated: 'call[1] < yielding[1] ?', tests: ['verdicts'] },
    { kind: 'bound', text: 'return shared > large / 2', mutated: 'return shared > large', tests: ['verdicts'] },
    { kind: 'bound', text: 'return sameCpu < Math.max(...others)', mutated: 'return sameCpu > Math.max(...others)', tests: ['verdicts'] },
    { kind: 'bound', text: 'if (total <= 0) return', mutated: 'if (total < -100) return', tests: ['verdicts'] },
    { kind: 'bound', text: 'share < 100 ?', mutated: 'share <= 100 ?', tests: ['verdicts'] },
    { kind: 'bound', text: 'readable < mapped ?', mutated: 'readable <= mapped ?', tests: ['verdicts'] },
    { kind: 'errno', text: 'told.every((result) => result < 0)', mutated: 'told.every((result) => result <= 0)', tests: ['verdicts'] },
    { kind: 'state', text: 'booked.length > 0 && booked.every(', mutated: 'booked.every(', tests: ['verdicts'] },
    { kind: 'bound', text: 'cycles > working / 100', mutated: 'cycles > working', tests: ['verdicts'] },
    { kind: 'errno', text: 'return wrongUse ? ExitCode.USAGE : ExitCode.FAILED;', mutated: 'return ExitCode.USAGE;', tests: ['failures'] },
    { kind: 'errno', text: 'if (result !== value) fail(', mutated: 'if (result < 0) fail(', tests: ['failures'] },
    {
      kind: 'errno',
      text: 'if (result < 0) fail(`',
      mutated: 'if (result < -100) fail(`',
      tests: ['failures'],
    },
    { kind: 'state', text: 'machine.run({ deaths });', mutated: "machine.run({ deaths: 'report' });", tests: ['failures'] },
    {
      kind: 'errno',
      text: "expected('write', yield* p.write(to, buffer, BYTES[channel]), BYTES[channel]);",
      mutated: 'yield* p.write(to, buffer, BYTES[channel]);',
      tests: ['failures'],
    },
    {
      kind: 'errno',
      text: "expected('epoll_wait', yield* p.epollWait(epfd, buffer + PAGE, 1, -1), 1);",
      mutated: 'yield* p.epollWait(epfd, buffer + PAGE, 1, -1);',
      tests: ['failures'],
    },
    {
      kind: 'errno',
      text: "zero('client: connect', yield* p.connect(fd, SOCKET));",
      mutated: 'yield* p.connect(fd, SOCKET);',
      tests: ['failures'],
    },
    { kind: 'cost', text: 'if (booked !== now - stamp) this.unbalanced++;', mutated: '', tests: ['rfc-benchmark'] },
    { kind: 'cost', text: 'this.totalCycles += now - stamp;', mutated: 'this.totalCycles = now - stamp;', tests: ['rfc-benchmark'] },
  ],
};
