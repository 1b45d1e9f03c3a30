import type { Cpu } from '@rpal/hw-x86';
import { awaitMmapLock } from '@rpal/kernel';
import { changeProtection } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import { Pending } from '@rpal/vfs';
import { PkuOn } from '../abi/constants.js';
import type { Rpal } from '../rpal.js';
import type { Phase } from '../services/locked-operation.js';
import type { RpalService } from '../services/service.js';
import { type RpalTask, rpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';

const ALL_DENIED = 0xffff_ffff | 0;

/** Where the lock of the address space is taken, for reports and those who observe locks. */
const INSTALLING = 'rpal_pkey_setup (patch 26)';

/** PKRU that opens key `key` and nothing else, not even key 0 (patch 25). */
export function pkruOf(key: number): number {
  return ALL_DENIED & ~(3 << (2 * key));
}

/** PKRU that allows reading everything and writing key `key`. */
export function readAllPkru(key: number): number {
  return (0xaaaa_aaaa | 0) & ~(3 << (2 * key));
}

/** `pkru` with the key of `service` opened in addition. */
export function pkruWith(pkru: number, service: RpalService | null): number {
  return service === null || service.pkey < 0 ? pkru : pkru & pkruOf(service.pkey);
}

/** PKRU that opens the keys of two services, in force yet or not. Without a key of one's own everything stays open. */
export function keysOf(own: RpalService | null, other: RpalService | null): number {
  return own === null || own.pkey < 0 ? 0 : pkruWith(pkruOf(own.pkey), other);
}

/** What `rpal_pkru_write_default` sets (patch 29): Linux's default, everything while keys are being installed, then the own key only. */
export function defaultPkruOf(service: RpalService | null, linux: number, threeValued = true): number {
  if (service === null || service.pkuOn === PkuOn.FALSE) return linux;
  return service.pkuOn === PkuOn.INIT && threeValued ? 0 : pkruOf(service.pkey);
}

/** The key a service gets: what it asks for, or its id modulo the number of keys (patch 25). */
export function chooseKey(service: RpalService, wanted: number): number {
  return wanted >= 0 && wanted <= 15 ? wanted : service.id % 16;
}

/**
 * Installs the key (patches 26 and 29) in four phases, each a step of its own: threads that race with it must not be shut out of pages with
 * either the old or the new key.
 * @returns the phases, to be run in order under the service's mutex
 */
export function keyInstallation(rpal: Rpal, service: RpalService, thread: RpalTask, key: number): readonly Phase[] {
  const { mmapLock } = service.mm;
  const mayLock = (cpu: Cpu): boolean => awaitMmapLock(cpu, rpal.kernel.scheduler, thread, mmapLock, INSTALLING);
  const changeAll = (cpu: Cpu, change: (pkru: number) => number): number => {
    for (const other of thread.process.threads) {
      setPkru(rpal, cpu, rpalTask(other), change);
      rpal.between(cpu, 'pkey setup: PKRU of one thread changed');
    }
    return Pending.AGAIN;
  };
  const announce = (cpu: Cpu): void => {
    const { rpalKey } = rpal.instruments.events;
    if (rpalKey.observed) rpalKey.emit(cpu.id, cpu.clock, service, service.pkuOn);
  };
  return [
    (cpu) => {
      if (!mayLock(cpu)) return Pending.SLEEP;
      mmapLock.pass(cpu, INSTALLING);
      service.pkey = key;
      service.pkuOn = PkuOn.INIT;
      announce(cpu);
      return Pending.AGAIN;
    },
    (cpu) => changeAll(cpu, (pkru) => pkru & pkruOf(key)),
    (cpu) => {
      // The mmap lock is taken killably: a thread that is being killed gives up before anything has the new key.
      if (thread.killPending) {
        rpal.warn(cpu, `service ${service.id}: the installation of key ${key} is interrupted`);
        return rpal.quirk('enable-ignores-key-failure') ? Pending.AGAIN : -Errno.EINTR;
      }
      if (!mayLock(cpu)) return Pending.SLEEP;
      mmapLock.take(cpu, INSTALLING);
      rekey(cpu, service, key);
      service.pkuOn = PkuOn.FINISH;
      mmapLock.release(cpu);
      announce(cpu);
      return Pending.AGAIN;
    },
    (cpu) => changeAll(cpu, () => pkruOf(key)),
  ];
}

/** Gives all areas of the slice the key. Errors of single areas end the loop, as in the series. */
function rekey(cpu: Cpu, service: RpalService, key: number): void {
  const areas = [...service.mm.areas].filter((area) => area.start >= service.base && area.end <= service.top);
  for (const { start, end } of areas) if (changeProtection(cpu, service.mm, start, end, null, key) < 0) return;
}

/**
 * Changes PKRU of another thread: in the register of the CPU that runs it, else in its saved state. In the kernel this
 * is a function call on the CPU the thread last ran on; its interrupt needs no lazy switch, as nobody can be in a call of a
 * service that has no key yet.
 */
function setPkru(rpal: Rpal, cpu: Cpu, thread: RpalTask, change: (pkru: number) => number): void {
  cpu.charge(RpalStep.setPkru);
  if (rpal.kernel.scheduler.current(thread.cpu) === thread) rpal.loadRights(thread.cpu, change(thread.cpu.mmu.pkru));
  else thread.pkru = change(thread.pkru);
}
