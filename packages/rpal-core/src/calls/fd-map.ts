import { PollEntry } from '@rpal/epoll';
import { type Cpu, Touch } from '@rpal/hw-x86';
import { UnixSocket } from '@rpal/ipc';
import { getUser32, putUser32, userPage } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import { RpalFlag } from '../abi/constants.js';
import { FdmapArg, Rcc } from '../abi/layouts.js';
import type { Rpal } from '../rpal.js';
import { RpalBug } from '../rpal-bug.js';
import type { RpalService } from '../services/service.js';
import { type RpalTask, rpalTask } from '../services/thread.js';
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
  const { memory } = thread;
  const result = getUser32(cpu, memory, argument + FdmapArg.res + 4) * 2 ** 32 + (getUser32(cpu, memory, argument + FdmapArg.res) >>> 0);
  const low = putUser32(cpu, memory, result, end.fd);
  const high = putUser32(cpu, memory, result + 4, end.receiverId);
  return low < 0 || high < 0 ? -Errno.EFAULT : 0;
}

/** How many of `size` bytes at `address` copy_from_user gets. */
function readableBytes(cpu: Cpu, { memory }: RpalTask, address: number, size: number): number {
  for (let done = 0; done < size; done += 4) if (userPage(cpu, memory, address + done, Touch.LOAD) < 0) return done;
  return size;
}

function farEnd(rpal: Rpal, cpu: Cpu, thread: RpalTask, serviceId: number, cfd: number): FarEnd | null {
  const file = thread.process.files.lookUp(cpu, cfd);
  if (!(file instanceof UnixSocket) || file.peer === null) return null;
  // The first waiter of the peer is taken for an epoll item.
  const waiter = file.peer.wait.first;
  if (waiter === null) return null;
  if (!(waiter instanceof PollEntry)) {
    if (!rpal.quirk('fdmap-unverified-waiter')) return null;
    throw new RpalBug(
      'out of bounds',
      28,
      `UDS_FDMAP: the first waiter on the peer of descriptor ${cfd} is not an epoll item, and is read as one`,
    );
  }
  const service = thread.rpal.service as RpalService;
  const peer = service.map[serviceId]?.service ?? null;
  // In the order of the process's threads, which need not be that of their registration.
  for (const candidate of peer?.leader.process.threads ?? []) {
    const { flags, data } = rpalTask(candidate).rpal;
    if ((flags & RpalFlag.RECEIVER) === 0 || data === null || data.epoll !== waiter.item.epoll) continue;
    // The id is in memory that the receiver's process can write.
    const receiverId = cpu.memory.read32(data.rcc + Rcc.receiverId);
    return receiverId < 0 ? null : { receiverId, fd: waiter.item.fd };
  }
  return null;
}
