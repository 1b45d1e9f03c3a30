import { profiles } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { type MpiOptions, memoryBandwidthOf, mpiPingPong, mpiRing, type Transport, transports } from '../src/index.js';

const [server] = profiles;
const [eagerCopy, crossMemoryAttach] = transports as [Transport, Transport];
/** The RFC's CPU with few cores, a small cache and little memory: what takes megabytes there takes kilobytes here. */
const profile = {
  ...server!,
  topology: { sockets: 2, coresPerSocket: 8, threadsPerCore: 1, coresPerCache: 8, memoryPerSocket: 1 },
  cache: { ...server!.cache, l3: { ...server!.cache.l3, bytes: 512 * 1024 } },
};
const SIZE = 128 * 1024;
const options = (ranks: number, transport: Transport, more: Partial<MpiOptions> = {}): MpiOptions => ({
  machine: { profile },
  transport,
  ranks,
  size: SIZE,
  rounds: 3,
  ...more,
});

describe('ranks of a parallel program', () => {
  it.each(transports.flatMap((transport) => [1, 7, 4096, 40_000].map((size) => [transport.name, size, transport] as const)))(
    'receive what was sent to them, in rings and in pairs: %s, %i bytes',
    (_name, size, transport) => {
      for (const workload of [mpiRing, mpiPingPong]) expect(workload(options(4, transport, { size })).bandwidth).toBeGreaterThan(0);
    },
  );

  it('come to the same result twice', () => {
    const once = () => mpiRing(options(6, eagerCopy));
    expect(once()).toEqual(once());
  });

  it('send as fast in a longer ring as long as all fits into the caches', () => {
    const small = { size: 16 * 1024 };
    for (const transport of transports) {
      const [two, eight] = [mpiRing(options(2, transport, small)), mpiRing(options(8, transport, small))];
      expect(eight.fromMemory).toBe(false);
      expect([eight.waited, eight.bandwidth / two.bandwidth]).toEqual([0, expect.closeTo(1, 1)]);
    }
  });

  it('copy once by attach, which is faster than twice, until memory is what they wait for', () => {
    const gain = (ranks: number, bandwidth?: number): number => {
      const given = bandwidth === undefined ? {} : { bandwidth };
      return mpiRing(options(ranks, crossMemoryAttach, given)).bandwidth / mpiRing(options(ranks, eagerCopy, given)).bandwidth;
    };
    expect(gain(2)).toBeGreaterThan(3);
    // A memory that gives each of 16 ranks less than either way could copy.
    expect(gain(16, 4)).toBeCloseTo(1, 1);
  });

  it('share what memory moves: a byte that is sent is read there and written there', () => {
    for (const transport of transports) {
      const { bandwidth, fromMemory, waited } = mpiRing(options(8, transport, { bandwidth: 4, rounds: 10 }));
      expect(fromMemory).toBe(true);
      expect(8 * 2 * bandwidth).toBeGreaterThan(0.9 * 4);
      expect(8 * 2 * bandwidth).toBeLessThan(1.1 * 4);
      expect(waited).toBeGreaterThan(0.5);
    }
  });

  it('are no faster with dearer costs, and one core has a share of its own', () => {
    const at = (costs: 'low' | 'high') => mpiRing(options(6, crossMemoryAttach, { machine: { profile, costs } })).bandwidth;
    expect(at('low')).toBeGreaterThan(at('high'));
    const { core } = memoryBandwidthOf(profile);
    expect(mpiRing(options(6, crossMemoryAttach)).bandwidth).toBeLessThan(core.central);
  });
});

describe('the bandwidth of memory', () => {
  it('is known of each profile, with its source', () => {
    for (const each of profiles) {
      const { socket, core } = memoryBandwidthOf(each);
      for (const { low, central, high, source } of [socket, core]) {
        expect([low < central, central < high, source.length > 20]).toEqual([true, true, true]);
      }
      expect(socket.low).toBeGreaterThan(core.high);
    }
    // Eight channels of DDR4-3200.
    expect(memoryBandwidthOf(server!).socket.central).toBeCloseTo(0.8 * 204.8, 5);
  });

  it('has to be given for another one', () => {
    expect(() => memoryBandwidthOf({ ...server!, name: 'other' })).toThrow('the memory channels of other are not known: give the GB/s');
    expect(memoryBandwidthOf({ ...server!, name: 'other' }, 50).socket.central).toBe(50);
    expect(() => memoryBandwidthOf(server!, 0)).toThrow('bandwidth: 0 is not a number of GB/s above 0');
  });
});

describe('wrong use', () => {
  it.each([
    [{ ranks: 1 }, 'ranks: 1 is not a whole number from 2 to 16'],
    [{ ranks: 17 }, 'ranks: 17 is not a whole number from 2 to 16'],
    [{ size: 0 }, 'size: 0 is not a whole number from 1 to'],
    [{ rounds: 0.5 }, 'rounds: 0.5 is not a whole number from 1 to'],
  ])('is refused by name: %j', (more, complaint) => {
    expect(() => mpiRing(options(2, eagerCopy, more))).toThrow(complaint);
  });

  it('a ping-pong of an odd number of ranks is none', () => {
    expect(() => mpiPingPong(options(3, eagerCopy))).toThrow('ranks: 3 is odd; a ping-pong is between two');
  });
});
