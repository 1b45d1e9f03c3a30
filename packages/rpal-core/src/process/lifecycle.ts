import type { Cpu } from '@rpal/hw-x86';
import type { Image } from '@rpal/kernel';
import type { MmStruct } from '@rpal/mm';
import { RPAL_MAGIC, RPAL_MAGIC_OFFSET, RpalFlag } from '../abi/constants.js';
import { disable } from '../calls/requests.js';
import { rebuildReceiver } from '../recovery/recovery.js';
import type { Rpal } from '../rpal.js';
import { ServiceChange } from '../seams.js';
import { RpalService } from '../services/service.js';
import type { RpalTask } from '../services/thread.js';
import { endReceiver, unregisterSender } from '../threads/threads.js';
import { startWaker, stopWaker } from '../threads/waker.js';
import { cutOff } from './vanished-code.js';

/** Is this an RPAL binary (patch 05)? */
export function isRpalImage({ ident }: Image): boolean {
  return [...RPAL_MAGIC].every((character, i) => ident[RPAL_MAGIC_OFFSET + i] === character.charCodeAt(0));
}

/** A process that executes an RPAL binary becomes a service, if an id is free; else it runs as any other (patch 03). */
export function registerService(rpal: Rpal, cpu: Cpu, thread: RpalTask, image: Image): void {
  const id = rpal.takeId();
  if (id < 0) {
    if (rpal.quirk('registration-error-exits')) {
      rpal.instruments.leakedServices++;
      rpal.warn(cpu, `${image.name}: no service id is free; id ${id} is given back and the service object leaks`);
    }
    return;
  }
  const service = new RpalService(rpal.kernel.scheduler, thread, rpal.takeKey(), id, {
    bad: !image.pie,
    staticPie: image.pie && !image.dynamic,
  });
  if (service.bad) rpal.warn(cpu, `${image.name} is not position independent`);
  if (service.mm.pkeyMap !== 1) rpal.warn(cpu, `${image.name} has allocated protection keys before it became a service`);
  // All keys of the address space count as allocated: programs get none (patch 25).
  service.mm.pkeyMap = 0xffff;
  thread.rpal.service = service;
  service.mm.rpalService = service;
  // Registration, leader, address space.
  service.references = 3;
  rpal.byKey.set(service.key, service);
  startWaker(rpal, cpu, service);
  rpal.changed(cpu, service, ServiceChange.REGISTERED);
}

/** A thread is added to a service (patch 04). A forked process is none. */
export function joinService(parent: RpalTask, child: RpalTask): void {
  const { service } = parent.rpal;
  if (service === null || child.process !== parent.process) return;
  child.rpal.service = service;
  service.references++;
}

/** A thread leaves its service; the last one takes the service with it. */
export const LeavingThread = { LAST: true, OTHER: false } as const;

/** A thread of a service ends (patches 08, 10, 15, 22), before its memory goes. */
export function leaveService(rpal: Rpal, cpu: Cpu, thread: RpalTask, last: boolean): void {
  const { service } = thread.rpal;
  if (service === null) return;
  if (last) {
    disable(rpal, cpu, service);
    // As written, a receiver ends only when nobody executes its code any more.
    if (!rpal.quirk('kill-refused')) cutOff(rpal, thread.process);
  }
  if ((thread.rpal.flags & RpalFlag.SENDER) !== 0) {
    rebuildReceiver(rpal, cpu, thread);
    unregisterSender(rpal, cpu, thread);
  }
  if ((thread.rpal.flags & RpalFlag.RECEIVER) !== 0) endReceiver(rpal, cpu, thread);
  thread.rpal.service = null;
  thread.entryWatched = false;
  rpal.putService(cpu, service);
  if (last) unregisterService(rpal, cpu, service);
}

function unregisterService(rpal: Rpal, cpu: Cpu, service: RpalService): void {
  service.registered = false;
  rpal.byKey.delete(service.key);
  stopWaker(rpal, cpu, service);
  rpal.changed(cpu, service, ServiceChange.UNREGISTERED);
  rpal.putService(cpu, service);
}

/** The address space of a service is gone (patch 04). */
export function exitMemory(rpal: Rpal, cpu: Cpu, mm: MmStruct): void {
  const service = mm.rpalService ?? null;
  if (service === null) return;
  if (service.sharedPages.length > 0) rpal.warn(cpu, `service ${service.id} leaves shared pages behind`);
  rpal.putService(cpu, service);
}
