import { definePlugin } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import { done, exactly, type Program, SyscallNumber } from '@rpal/kernel';
import type { RpalOptions } from '@rpal/rpal-core';
import { Errno } from '@rpal/uapi';
import { whole } from '../report/numbers.js';
import { type Answer, errno, type Question } from './question.js';
import { type Connection, meet } from './services.js';
import { ofCredentials, ofPolicies } from './verdicts.js';

/** An unprivileged user. */
const USER = 1000;

/** Puts the server's FS base into the register, and back afterwards: what is between is not a call. */
function* forged<T>(p: Program, base: number, body: () => Generator<void, T>): Generator<void, T> {
  const own = p.rdfsbase();
  p.wrfsbase(base);
  const value = yield* body();
  p.wrfsbase(own);
  return value;
}

/** One side is root, the other is not; each tries to kill a process of root's. */
function credentials(options: RpalOptions): Answer {
  const lines: string[] = [];
  let uid = -1;
  let alone = 0;
  let raised = -1;
  const attack = meet(options, function* (p, { server }) {
    const target = server.pid;
    exactly('setuid', yield* p.setuid(USER), 0);
    alone = yield* p.kill(target, 0);
    yield* forged(p, server.leader.fsBase, function* () {
      uid = yield* p.getuid();
      raised = yield* p.kill(target, 0);
    });
  });
  lines.push(
    `client of user ${USER}, server of root: kill() of a process of root's gives ${errno(alone)}; with the server's FS base getuid() gives ${errno(uid)} and kill() ${errno(raised)}`,
  );
  if (attack.bug !== null) lines.push(`the kernel stopped: ${attack.bug}`);
  // The other way round, by an honest call: the code that root's thread executes is judged as what it is.
  let callee = -1;
  let denied = 0;
  let root = 0;
  meet(
    options,
    function* (p, { lib, serviceId, far }) {
      const words = done('mmap', yield* p.allocate(4096));
      yield* p.store64(words, 1);
      done('rpal_write_ptrs', yield* lib.writePtrs(serviceId, far, words, 1));
    },
    {
      arrange(_machine, _server, client) {
        root = client.pid;
      },
      *prepare(p) {
        exactly('setuid', yield* p.setuid(USER), 0);
      },
      *handle(p) {
        callee = yield* p.getuid();
        denied = yield* p.kill(root, 0);
      },
    },
  );
  lines.push(
    `client of root, server of user ${USER}, in an honest call: getuid() of the callee gives ${errno(callee)}, its kill() ${errno(denied)}`,
  );
  return {
    done: `Client and server have different user ids. First an unprivileged client makes system calls with the FS base of a root server; then root calls an unprivileged server, which makes system calls. Neither request asks who the other is.`,
    happened: lines,
    verdict: ofCredentials(uid),
  };
}

/** Which process a filter, a log and a CPU accountant see, for the callee's system calls and its time. */
function policies(options: RpalOptions): Answer {
  const WORK = 2e6;
  const seen = new Map<string, number>();
  let names: ReadonlyMap<number, string> = new Map();
  let inCall = false;
  let clientFiltered = 0;
  let serverFiltered = 0;
  let filterServer = false;
  const SECCOMP = 1000;
  const filter = definePlugin({
    name: 'filter',
    version: '1.0.0',
    setup({ plugin, syscalls }) {
      syscalls.define(SECCOMP, (_cpu, { process }) => ((process.name === 'server') === filterServer ? -Errno.EPERM : 0), {
        name: 'seccomp_filtered',
        plugin,
      });
    },
  });
  let own = 0;
  let others = 0;
  let groups: string[] = [];
  const attack = function* (p: Program, { lib, serviceId, far, server }: Connection) {
    const words = done('mmap', yield* p.allocate(4096));
    const client = p.context.thread;
    yield* p.store64(words, 1);
    inCall = true;
    done('rpal_write_ptrs', yield* lib.writePtrs(serviceId, far, words, 1));
    inCall = false;
    clientFiltered = yield* p.syscall(SECCOMP);
    filterServer = true;
    yield* p.store64(words, 2);
    done('rpal_write_ptrs', yield* lib.writePtrs(serviceId, far, words, 1));
    // Time: the callee computes without a system call, one hundred times less than a tick.
    yield* p.store64(words, 3);
    exactly('nanosleep', yield* p.sleep(1e6), 0);
    const [before, theirs] = [client.entity.sumExec, server.leader.entity.sumExec];
    for (let i = 0; i < 20; i++) done('rpal_write_ptrs', yield* lib.writePtrs(serviceId, far, words, 1));
    exactly('nanosleep', yield* p.sleep(1e6), 0);
    own = client.entity.sumExec - before;
    others = server.leader.entity.sumExec - theirs;
  };
  meet(options, attack, {
    plugins: [filter()],
    arrange(machine, server, client) {
      names = new Map([
        [server.pid, 'server'],
        [client.pid, 'client'],
      ]);
      const { scheduler } = machine.kernel;
      for (const process of [server, client]) {
        const group = scheduler.createGroup(`/${process.name}`);
        scheduler.setGroup(machine.platform.cpus[0] as Cpu, process.leader, group);
      }
      groups = [server.leader, client.leader].map(({ group }) => group?.name ?? '/');
      machine.bus.events.syscallEnter.on('questions', (_cpu, _time, thread, nr) => {
        if (inCall && nr === SyscallNumber.getpid) {
          const name = names.get(thread.process.pid) ?? 'another';
          seen.set(name, (seen.get(name) ?? 0) + 1);
        }
      });
    },
    *handle(p, word) {
      if (word === 1) {
        yield* p.getpid();
        serverFiltered = yield* p.syscall(SECCOMP);
      } else if (word === 2) {
        serverFiltered = yield* p.syscall(SECCOMP);
      } else {
        yield* p.compute(WORK);
      }
    },
  });
  const logged = [...seen].map(([name, times]) => `${name} ${times} x`).join(', ');
  const share = others / (own + others);
  return {
    done: `Client and server are in control groups of their own (${groups.join(', ')}), under a filter that denies one system call to one of them, as seccomp does, and a log of system calls, as audit writes. The server makes calls within RPAL calls; then it computes ${whole(WORK)} cycles in each of 20 calls.`,
    happened: [
      `getpid() of the callee, as the log books it: ${logged || 'not at all'}`,
      `denied to the client: the client itself gets ${errno(clientFiltered)}`,
      `denied to the server: its code, called by the client, gets ${errno(serverFiltered)}`,
      `20 x ${whole(WORK)} cycles of the callee's work (${whole((20 * WORK) / 2.3e3)} us): charged to the client's group ${whole(own / 1e3)} us, to the server's ${whole(others / 1e3)} us`,
    ],
    verdict: ofPolicies({ asReceiver: seen.has('server'), filtered: serverFiltered === -Errno.EPERM, share }),
  };
}

export const differentCredentials: Question = {
  who: 'derived',
  question: 'Caller and callee with different credentials: who is checked?',
  ask: credentials,
};

export const differentPolicies: Question = {
  who: 'derived',
  question: 'seccomp, audit, namespaces, cgroups that differ between the two: whose rules apply?',
  ask: policies,
};
