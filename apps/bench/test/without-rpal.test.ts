import type { MachineOptions } from '@rpal/kernel';
import { expect, it, vi } from 'vitest';

/**
 * The RFC's epoll phase in short, in a module world of its own, so that nothing of RPAL is loaded unless asked for.
 * @returns steps that are defined, and the machine's fingerprint
 */
async function pingPong(
  kernel: typeof import('@rpal/kernel'),
  uapi: typeof import('@rpal/uapi'),
  options: MachineOptions = {},
): Promise<string> {
  const { createMachine, executable, Time } = kernel;
  const { Epoll, Poll, SocketType } = uapi;
  const machine = createMachine(options);
  machine.spawn(
    executable('server', function* (p) {
      yield* p.setAffinity([0]);
      const listener = yield* p.socket(SocketType.STREAM);
      yield* p.bind(listener, '/tmp/socket');
      yield* p.listen(listener, 1);
      const fd = yield* p.accept(listener);
      const epfd = yield* p.epollCreate();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN | Epoll.ET);
      const buffer = yield* p.allocate(8192);
      for (;;) {
        yield* p.epollWait(epfd, buffer + 4096, 1, -1);
        const n = yield* p.read(fd, buffer, 1024);
        if (n === 0) return;
        yield* p.write(fd, buffer, n);
      }
    }),
    0,
  );
  machine.spawn(
    executable('client', function* (p) {
      yield* p.setAffinity([1]);
      yield* p.sleep(Time.ms);
      const fd = yield* p.socket(SocketType.STREAM);
      yield* p.connect(fd, '/tmp/socket');
      const buffer = yield* p.allocate(4096);
      for (let i = 0; i < 100; i++) {
        yield* p.sprintfStamp(buffer, p.rdtsc());
        yield* p.write(fd, buffer, 32);
        yield* p.read(fd, buffer, 32);
      }
    }),
    1,
  );
  machine.run();
  return machine.fingerprint();
}

it('plain Linux is the same to the last bit whether or not RPAL exists', async () => {
  vi.resetModules();
  const [kernel, uapi, hardware] = [await import('@rpal/kernel'), await import('@rpal/uapi'), await import('@rpal/hw-x86')];
  const rpalSteps = (): number => hardware.allSteps().filter(({ name }) => /^@rpal\/(rpal-core|librpal):/.test(name)).length;
  const before = await pingPong(kernel, uapi);
  expect(rpalSteps()).toBe(0);
  await import('@rpal/rpal-core');
  await import('@rpal/librpal');
  expect(rpalSteps()).toBeGreaterThan(0);
  expect(await pingPong(kernel, uapi)).toBe(before);
});

it('programs that are no RPAL binaries run with RPAL plugged in as without it, to the last bit, on every machine', async () => {
  const [kernel, uapi, { profiles }, { rpal }] = [
    await import('@rpal/kernel'),
    await import('@rpal/uapi'),
    await import('@rpal/hw-x86'),
    await import('@rpal/rpal-core'),
  ];
  const fingerprints: string[] = [];
  for (const profile of profiles) {
    const plain = await pingPong(kernel, uapi, { profile });
    const withRpal = await pingPong(kernel, uapi, { profile, plugins: [rpal()] });
    fingerprints.push(plain);
    expect(withRpal, profile.name).toBe(plain);
  }
  expect(new Set(fingerprints).size).toBe(profiles.length);
});
