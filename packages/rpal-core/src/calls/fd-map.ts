import { PollEntry } from '@rpal/epoll';
import type { Cpu } from '@rpal/hw-x86';
import { UnixStreamSocket } from '@rpal/ipc';
import { getUser32, putUser32, userPage } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import { FdmapArg, Rcc } from '../abi/layouts.js';
import type { Rpal } from '../rpal.js';
import { RpalBug } from '../rpal-bug.js';
import type { RpalService } from '../services/service.js';
import type { RpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';

/** A receiver and the descriptor it knows a connection by. */
interface FarEnd {
  readonly receiverId: number;
  readonly fd: number;
}

/**
 * UDS_FDMAP (patch 28): which receiver of a service, and which of its descriptors, is at the other end of a Unix socket.
 * Works only once the receiver has waited in RPAL's epoll_wait.
 */
export function mapSocket(rpal: Rpal, cpu: Cpu, thread: RpalTask, argument: number): number {
  cpu.charge(RpalStep.fdMap);
  const copied = readableBytes(cpu, thread, argument, FdmapArg.size);
  if (copied < FdmapArg.size) return rpal.quirk('fdmap-copy-count') ? FdmapArg.size - copied : -Errno.EFAULT;
  const serviceId = getUser32(cpu, thread.memory, argument + FdmapArg.serviceId);
  const cfd = getUser32(cpu, thread.memory, argument + FdmapArg.cfd);
  const end = farEnd(rpal, cpu, thread, serviceId | 0, cfd | 0);
  if (end === null) return rpal.quirk('fdmap-silent-failure') ? 0 : -Errno.ENOENT;
  const low = putUser32(cpu, thread.memory, argument + FdmapArg.res, end.fd);
  const high = putUser32(cpu, thread.memory, argument + FdmapArg.res + 4, end.receiverId);
  return low < 0 || high < 0 ? -Errno.EFAULT : 0;
}

/** How many of `size` bytes at `address` copy_from_user gets. */
function readableBytes(cpu: Cpu, { memory }: RpalTask, address: number, size: number): number {
  for (let done = 0; done < size; done += 4) if (userPage(cpu, memory, address + done, false) < 0) return done;
  return size;
}

function farEnd(rpal: Rpal, cpu: Cpu, thread: RpalTask, serviceId: number, cfd: number): FarEnd | null {
  const file = thread.process.files.lookUp(cpu, cfd);
  if (!(file instanceof UnixStreamSocket) || file.peer === null) return null;
  // The first waiter of the peer is taken for an epoll item.
  const waiter = file.peer.wait.first;
  if (waiter === null) return null;
  if (!(waiter instanceof PollEntry)) {
    if (!rpal.quirk('fdmap-unverified-waiter')) return null;
    throw new RpalBug(`UDS_FDMAP: the first waiter on the peer of descriptor ${cfd} is no epoll item, and is read as one`);
  }
  const service = thread.rpal.service as RpalService;
  const peer = service.map[serviceId]?.service ?? null;
  const receiver = peer?.receivers.find((candidate) => candidate.rpal.role.epoll === waiter.item.epoll);
  if (receiver === undefined) return null;
  return { receiverId: cpu.memory.read32(receiver.rpal.role.rcc + Rcc.receiverId), fd: waiter.item.fd };
}
