import type { Cpu } from '@rpal/hw-x86';
import { Wake } from '@rpal/sched';
import { Errno, Poll } from '@rpal/uapi';
import { MapType, RPAL_NR_ID } from '../abi/constants.js';
import type { Rpal } from '../rpal.js';
import { ServiceChange } from '../seams.js';
import type { RpalService } from '../services/service.js';
import { RpalStep } from '../steps.js';

/**
 * `service` wants to talk to `target` (patch 11). When both have said so, each gets the other's memory. The checks that
 * the ioctl makes come before. @returns 0 or -EINVAL
 */
export function request(rpal: Rpal, cpu: Cpu, service: RpalService, target: RpalService): number {
  cpu.charge(RpalStep.request);
  const forward = addEntry(rpal, service, target, MapType.REQUEST);
  if (forward < 0) return forward;
  const back = addEntry(rpal, target, service, MapType.REVERSE);
  if (back < 0) {
    removeEntry(rpal, cpu, service, target, MapType.REQUEST);
    return back;
  }
  if (service.map[target.id]?.mapped === true) {
    const linked = rpal.sharing.link(cpu, service, target);
    if (linked < 0) {
      removeEntry(rpal, cpu, target, service, MapType.REVERSE);
      removeEntry(rpal, cpu, service, target, MapType.REQUEST);
      return linked;
    }
    relinked(rpal, cpu, service, target);
    announceLink(rpal, cpu, service, target, Link.MADE);
  }
  return 0;
}

/** Withdraws the request; the mapping, if there was one, goes (patch 11). */
export function release(rpal: Rpal, cpu: Cpu, service: RpalService, target: RpalService): void {
  cpu.charge(RpalStep.request);
  const linked = service.map[target.id]?.mapped === true;
  removeEntry(rpal, cpu, target, service, MapType.REVERSE);
  removeEntry(rpal, cpu, service, target, MapType.REQUEST);
  rpal.sharing.unlink(cpu, service, target);
  if (linked) announceLink(rpal, cpu, service, target, Link.GONE);
  for (const { mm } of relinked(rpal, cpu, service, target)) {
    if (!mm.dead) mm.manager.tlb.flushRange(cpu, mm, 0, Number.POSITIVE_INFINITY);
  }
}

/** What happened to the link of two services. */
const Link = { MADE: true, GONE: false } as const;

function announceLink(rpal: Rpal, cpu: Cpu, a: RpalService, b: RpalService, linked: boolean): void {
  const { rpalLink } = rpal.instruments.events;
  if (rpalLink.observed) rpalLink.emit(cpu.id, cpu.clock, a, b, linked);
}

/** The isolation of two services follows a change in what they share. */
function relinked(rpal: Rpal, cpu: Cpu, ...services: readonly RpalService[]): readonly RpalService[] {
  for (const service of services) rpal.isolation.relinked(cpu, service);
  return services;
}

/** DISABLE, or the end of the process (patches 10 and 12): its own requests go, and services that still request it are told. */
export function disable(rpal: Rpal, cpu: Cpu, service: RpalService): number {
  if (!service.enabled) return -Errno.EINVAL;
  service.enabled = false;
  rpal.changed(cpu, service, ServiceChange.DISABLED);
  for (let id = 0; id < RPAL_NR_ID; id++) {
    const entry = service.map[id];
    if (entry?.service != null && (entry.type & MapType.REQUEST) !== 0) release(rpal, cpu, service, entry.service);
  }
  for (const { service: peer, type } of service.map) {
    if (peer === null || (type & MapType.REVERSE) === 0 || peer.deadKeys.has(service.id)) continue;
    peer.deadKeys.set(service.id, service.key);
    peer.deathWait.walk(cpu, Wake.ONE, Poll.IN | Poll.RDNORM);
  }
  return 0;
}

/** Sets a bit of `service`'s entry for `peer`; a new entry takes a reference and remembers the peer's key. */
function addEntry(rpal: Rpal, service: RpalService, peer: RpalService, bit: number): number {
  const entry = service.map[peer.id];
  if (entry === undefined) return -Errno.EINVAL;
  if (bit === MapType.REQUEST && service.requestsLeft === 0) return -Errno.EINVAL;
  if (entry.service !== null && entry.service !== peer) return -Errno.EINVAL;
  if ((entry.type & bit) !== 0) return -Errno.EINVAL;
  if (entry.service === null) {
    entry.service = rpal.getService(peer);
    entry.pkey = peer.pkey;
  }
  entry.type |= bit;
  if (bit === MapType.REQUEST) service.requestsLeft--;
  return 0;
}

/** Clears a bit; an entry without bits drops its reference. */
function removeEntry(rpal: Rpal, cpu: Cpu, service: RpalService, peer: RpalService, bit: number): void {
  const entry = service.map[peer.id];
  if (entry === undefined || entry.service !== peer || (entry.type & bit) === 0) return;
  entry.type &= ~bit;
  if (bit === MapType.REQUEST) {
    service.requestsLeft++;
    service.deadKeys.delete(peer.id);
  }
  if (entry.type !== 0) return;
  entry.service = null;
  entry.pkey = -1;
  rpal.putService(cpu, peer);
}
