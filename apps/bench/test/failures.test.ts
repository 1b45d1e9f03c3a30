import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { definePlugin, type Plugin } from '@rpal/bus';
import { exactly, SyscallNumber, type Thread } from '@rpal/kernel';
import { Signal } from '@rpal/uapi';
import { afterAll, describe, expect, it } from 'vitest';
import { type Channel, pingPong } from '../src/predict/experiments/ping-pong.js';
import { meet, smallProfile } from '../src/questions/services.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-failures-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Gives the `nth` call of a kind, in programs of one name, an argument that makes it fail. */
function spoil(call: number, nth = 1, program = /./): Plugin {
  return definePlugin({
    name: 'spoil',
    version: '1.0.0',
    setup: ({ events }) => {
      let calls = 0;
      events.syscallEnter.on('test', (_cpu: number, _time: number, { name, frame }: Thread, nr: number) => {
        if (nr === call && program.test(name) && ++calls === nth && frame.user !== null) frame.user.a0 = -2;
      });
    },
  })();
}

describe('a run of the benchmark that goes wrong', () => {
  const file = (name: string, then: string): string => {
    const text = `import type { Plugin, PluginContext } from '@rpal/bus';
      const setup = ({ events, machine }: any): void => {
        let writes = 0;
        events.syscallEnter.on('test', (cpu: any, time: any, thread: any, nr: number) => { if (nr === 1 && ++writes === 20) { ${then} } });
      };
      export default { definition: { name: '${name}', version: '0.1.0', setup }, input: {} };`;
    writeFileSync(join(directory, `${name}.ts`), text);
    return `./${name}.ts`;
  };

  it.each([
    ['a call that fails', file('bad-descriptor', 'thread.frame.user.a0 = -2;'), /(client|server): send returned -9/],
    ['a write that is cut short', file('short-write', 'thread.frame.user.a2 = 5;'), /(client|server): send returned 5/],
    [
      'a process that is killed',
      file('killer', 'machine.kernel.signals.sendToProcess(machine.platform.cpus[cpu], thread.process, 9);'),
      /died of SIGKILL/,
    ],
  ])('%s: ends with exit code 1, and says in one line what it was', async (_what, plugin, words) => {
    const { code, stdout, stderr } = await run(['rfc', '--messages', '50', '--phase', 'epoll', '--plugin', plugin], undefined, directory);
    expect(stderr).toMatch(words);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect([code, stdout]).toEqual([1, '']);
  });
});

describe('processes that hand something to and fro', () => {
  const pair = (channel: Channel, plugins: readonly Plugin[]) =>
    pingPong({ machine: { profile: smallProfile, plugins }, channel, cpus: [0, 1], rounds: 10 });

  it('do so if nothing is wrong', () => {
    expect(pair('pipe', []).cyclesPerRound).toBeGreaterThan(0);
  });

  it.each([
    ['pipe', 'write', SyscallNumber.write, /^write came back with EBADF, not 4$/],
    ['pipe', 'read', SyscallNumber.read, /^read came back with EBADF, not 4$/],
    ['eventfd', 'write', SyscallNumber.write, /^write came back with EBADF, not 8$/],
    ['epoll on pipes', 'epoll_wait', SyscallNumber.epoll_wait, /^epoll_wait came back with EBADF, not 1$/],
    ['epoll on pipes', 'epoll_ctl', SyscallNumber.epoll_ctl, /^epoll_ctl came back with EBADF, not 0$/],
    ['pipe', 'sched_setaffinity', SyscallNumber.sched_setaffinity, /^sched_setaffinity came back with ESRCH, not 0$/],
  ] as const)('through %s: a failed %s ends the run', (channel, _call, number, words) => {
    expect(() => pair(channel, [spoil(number, 2)])).toThrow(new RegExp(words.source.slice(1, -1)));
    expect(causeOf(() => pair(channel, [spoil(number, 2)]))).toMatchObject({ name: 'MachineError', code: 'CALL_FAILED' });
  });
});

/** What a program has thrown, behind what the machine says of it. */
function causeOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    let cause: unknown = error;
    while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
    return cause;
  }
  return undefined;
}

describe('two services that meet', () => {
  const nothing = function* (): Generator<void, void> {};

  it.each([
    ['client: connect', SyscallNumber.connect],
    ['server: listen', SyscallNumber.listen],
    ['server: accept', SyscallNumber.accept],
    ['server: epoll_ctl', SyscallNumber.epoll_ctl],
    ['client: close', SyscallNumber.close],
  ] as const)('%s is looked at', (call, number) => {
    const ours = call.startsWith('client') ? /client/ : /server/;
    expect(() => meet({}, nothing, { plugins: [spoil(number, 1, ours)] })).toThrow(call);
  });

  it('must both live, unless a death is what is asked about', () => {
    const kill: Parameters<typeof meet>[1] = function* (p, { server }) {
      exactly('kill', yield* p.kill(server.pid, Signal.KILL), 0);
    };
    expect(() => meet({}, kill)).toThrow(/server \(process \d+\) died of SIGKILL/);
    expect(meet({}, kill, { deaths: 'report' }).server.exit?.signal).toBe(Signal.KILL);
  });
});
