import { done, exactly, type Program } from '@rpal/kernel';
import { LinuxCall, Signal, SocketOption, SocketType } from '@rpal/uapi';
import { all, type Halves, type Operation, type Part, type Preparation, touched, twoHalves } from './operation.js';

const PAGE = 4096;

/** A call by its number, on memory that has been touched. @param registers `BUFFER` stands for the address of that memory */
function simple(name: string, nr: number, ...registers: readonly number[]): Operation {
  return {
    name,
    *prepare(p) {
      const buffer = yield* touched(p, PAGE);
      const [a = 0, b = 0, c = 0, d = 0, e = 0] = registers.map((value) => (value === BUFFER ? buffer : value));
      return { body: () => p.syscall(nr, a, b, c, d, e) };
    },
  };
}

/** Stands for the address of a page. */
const BUFFER = -77_777;

function operation(name: string, prepare: (p: Program) => Preparation): Operation {
  return { name, prepare };
}

/** A call that makes a descriptor, and the one that closes it. */
function madeAndClosed(p: Program, made: string, make: () => Iterable<void, number>): Halves {
  let fd = 0;
  return [
    function* () {
      fd = done(made, yield* make());
    },
    () => p.close(fd),
  ];
}

function descriptor(made: string, closed: string, make: (p: Program) => Iterable<void, number>): Operation[] {
  return twoHalves(made, closed, (p) => madeAndClosed(p, made, () => make(p)));
}

/** Calls that make and unmake a pair of descriptors. */
function pair(made: string, closed: string, make: (p: Program) => Iterable<void, number>): Operation[] {
  return twoHalves(made, closed, (p) => {
    const fds = [0, 0];
    return [
      function* () {
        fds[0] = done(made, yield* make(p));
        fds[1] = p.second;
      },
      function* () {
        for (const fd of fds) exactly('close', yield* p.close(fd), 0);
      },
    ];
  });
}

const questions: readonly Operation[] = [
  simple('getppid', LinuxCall.getppid),
  simple('getpid', LinuxCall.getpid),
  simple('gettid', LinuxCall.gettid),
  simple('getuid', LinuxCall.getuid),
  simple('uname', LinuxCall.uname, BUFFER),
  simple('clock_gettime: REALTIME', LinuxCall.clock_gettime, 0, BUFFER),
  simple('clock_gettime: MONOTONIC', LinuxCall.clock_gettime, 1, BUFFER),
  simple('clock_gettime: PROCESS_CPUTIME_ID', LinuxCall.clock_gettime, 2, BUFFER),
  simple('gettimeofday', LinuxCall.gettimeofday, BUFFER),
  simple('time', LinuxCall.time),
  simple('times', LinuxCall.times, BUFFER),
  simple('getrusage', LinuxCall.getrusage, 0, BUFFER),
  simple('prlimit64: get', LinuxCall.prlimit64, 0, 7, 0, BUFFER),
  simple('getcpu', LinuxCall.getcpu, BUFFER),
  simple('sysinfo', LinuxCall.sysinfo, BUFFER),
  simple('prctl: PR_GET_NAME', LinuxCall.prctl, 16, BUFFER),
  simple('prctl: PR_SET_NAME', LinuxCall.prctl, 15, BUFFER),
  simple('arch_prctl: ARCH_GET_FS', LinuxCall.arch_prctl, 0x1003, BUFFER),
  simple('set_tid_address', LinuxCall.set_tid_address, BUFFER),
  simple('set_robust_list', LinuxCall.set_robust_list, BUFFER, 24),
  simple('getpgid', LinuxCall.getpgid),
  simple('getsid', LinuxCall.getsid),
  simple('setpgid: same', LinuxCall.setpgid),
  simple('getgroups', LinuxCall.getgroups),
  simple('setuid: same', LinuxCall.setuid),
  simple('an unknown call, ENOSYS', 999),
];

const descriptors: readonly Operation[] = [
  ...twoHalves('eventfd: write', 'eventfd: read', function* (p) {
    const fd = yield* p.eventfd();
    const buffer = yield* touched(p, PAGE);
    return [() => p.write(fd, buffer, 8), () => p.read(fd, buffer, 8)];
  }),
  ...descriptor('eventfd: create', 'eventfd: close', (p) => p.eventfd()),
  ...pair('pipe: create', 'pipe: close of both ends', (p) => p.pipe()),
  ...pair('socketpair: stream', 'socketpair: close of both ends', (p) => p.socketpair(SocketType.STREAM)),
  ...descriptor('socket: stream', 'socket: close', (p) => p.socket(SocketType.STREAM)),
  ...descriptor('epoll: create', 'epoll: close, empty', (p) => p.epollCreate()),
  // Its close has not been counted.
  ...descriptor('timerfd: create', 'timerfd: close', (p) => p.syscall(LinuxCall.timerfd_create, 1, 0)).slice(0, 1),
  ...twoHalves('dup', 'close of a duplicate', function* (p) {
    const file = yield* p.eventfd();
    return madeAndClosed(p, 'dup', () => p.dup(file));
  }),
  simple('close of nothing, EBADF', LinuxCall.close, 999),
];

/** A pair of sockets, and memory. */
function* sockets(p: Program): Generator<void, { a: number; b: number; buffer: number }> {
  const a = yield* p.socketpair(SocketType.STREAM);
  const b = p.second;
  const buffer = yield* touched(p, PAGE);
  return { a, b, buffer };
}

const socketCalls: readonly Operation[] = [
  ...twoHalves('send of 32 B', 'recv of 32 B', function* (p) {
    const { a, b, buffer } = yield* sockets(p);
    return [() => p.send(a, buffer, 32), () => p.recv(b, buffer, 32)];
  }),
  ...twoHalves('sendmsg of 32 B', 'recvmsg of 32 B', function* (p) {
    const { a, b, buffer } = yield* sockets(p);
    const segments = [{ address: buffer, length: 32 }];
    return [() => p.sendmsg(a, { segments }), () => p.recvmsg(b, { segments })];
  }),
  operation('getsockopt: SO_TYPE', function* (p) {
    const { a } = yield* sockets(p);
    return { body: () => p.getsockopt(a, SocketOption.TYPE) };
  }),
  operation('setsockopt: SO_SNDBUF', function* (p) {
    const { a } = yield* sockets(p);
    return { body: () => p.setsockopt(a, SocketOption.SNDBUF, 65_536) };
  }),
  operation('socket: bind, abstract', (p) => {
    let fd = 0;
    return {
      *before() {
        fd = yield* p.socket(SocketType.STREAM);
      },
      body: () => p.bind(fd, '\0abstract'),
      after: () => p.close(fd),
    };
  }),
  operation('socket: listen', (p) => {
    let fd = 0;
    return {
      *before() {
        fd = yield* p.socket(SocketType.STREAM);
        yield* p.bind(fd, '\0abstract');
      },
      body: () => p.listen(fd, 5),
      after: () => p.close(fd),
    };
  }),
  ...(['connect', 'accept'] as const).map((which) =>
    operation(which === 'connect' ? 'socket: connect, abstract' : 'socket: accept', function* (p) {
      const listener = yield* p.socket(SocketType.STREAM);
      yield* p.bind(listener, '\0abstract');
      yield* p.listen(listener, 5);
      let client = 0;
      let server = 0;
      const open: Part = function* () {
        client = yield* p.socket(SocketType.STREAM);
      };
      const connect: Part = () => p.connect(client, '\0abstract');
      const accept: Part = function* () {
        server = yield* p.accept(listener);
      };
      const close: Part = function* () {
        yield* p.close(client);
        yield* p.close(server);
      };
      return which === 'connect'
        ? { before: open, body: connect, after: all(accept, close) }
        : { before: all(open, connect), body: accept, after: close };
    }),
  ),
  operation('socket: shutdown of both', (p) => {
    let fd = 0;
    return {
      *before() {
        fd = yield* p.socketpair(SocketType.STREAM);
      },
      body: () => p.shutdown(fd, 2),
      *after() {
        yield* p.close(fd);
        yield* p.close(p.second);
      },
    };
  }),
  operation('fcntl: F_GETFL', function* (p) {
    const { a } = yield* sockets(p);
    return { body: () => p.fcntl(a, 3) };
  }),
  operation('fcntl: F_SETFL', function* (p) {
    const { a } = yield* sockets(p);
    return { body: () => p.fcntl(a, 4, 2) };
  }),
  operation('ioctl: FIONREAD', function* (p) {
    const { a, buffer } = yield* sockets(p);
    return { body: () => p.ioctl(a, 0x541b, buffer) };
  }),
  ...[1, 16].map((count) =>
    operation(`poll: ${count} descriptor${count === 1 ? '' : 's'}, nothing, no time`, function* (p) {
      const { a } = yield* sockets(p);
      const { buffer } = yield* sockets(p);
      for (let i = 0; i < count; i++) {
        yield* p.store32(buffer + 8 * i, a);
        yield* p.store32(buffer + 8 * i + 4, 1);
      }
      return { body: () => p.syscall(LinuxCall.poll, buffer, count, 0) };
    }),
  ),
];

const signalCalls: readonly Operation[] = [
  operation('signal: kill of oneself, handler, return', function* (p) {
    const self = yield* p.getpid();
    yield* p.sigaction(Signal.USR1, function* () {});
    return { body: () => p.kill(self, Signal.USR1) };
  }),
  operation('signal: tgkill of oneself, handler, return', function* (p) {
    const self = yield* p.getpid();
    yield* p.sigaction(Signal.USR1, function* () {});
    return { body: () => p.syscall(LinuxCall.tgkill, self, self, Signal.USR1) };
  }),
  operation('signal: kill of oneself, ignored', function* (p) {
    const self = yield* p.getpid();
    return { body: () => p.kill(self, Signal.URG) };
  }),
  simple('rt_sigpending', LinuxCall.rt_sigpending, BUFFER, 8),
];

const messages: readonly Operation[] = [
  ...[1, 32, 1024, 4096, 8000].flatMap((size) =>
    twoHalves(`msgsnd: ${size} B`, `msgrcv: ${size} B`, function* (p) {
      const queue = done('msgget', yield* p.syscall(LinuxCall.msgget, 0, 0o600));
      const buffer = yield* touched(p, 4 * PAGE);
      return [
        function* () {
          exactly('msgsnd', yield* p.syscall(LinuxCall.msgsnd, queue, buffer, size, 0), 0);
        },
        function* () {
          exactly('msgrcv', yield* p.syscall(LinuxCall.msgrcv, queue, buffer, 8192, 0, 0), size);
        },
      ];
    }),
  ),
  ...twoHalves('semop: up, nobody waits', 'semop: down, no wait', function* (p) {
    const set = done('semget', yield* p.syscall(LinuxCall.semget, 0, 4, 0o600));
    const buffer = done('mmap', yield* p.allocate(PAGE));
    const change = (by: number): Part =>
      function* () {
        yield* p.store32(buffer, by << 16);
        yield* p.store32(buffer + 4, 0);
        exactly('semop', yield* p.syscall(LinuxCall.semop, set, buffer, 1), 0);
      };
    return [change(1), change(-1)];
  }),
];

/** Calls on descriptors, sockets, signals, and questions to the kernel. */
export const callOperations: readonly Operation[] = [...questions, ...descriptors, ...socketCalls, ...signalCalls, ...messages];
