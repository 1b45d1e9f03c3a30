import { type Cpu, Touch } from '@rpal/hw-x86';
import { awaitMmapLock } from '@rpal/kernel';
import { getUser32, putUser32, putUser64, userPage } from '@rpal/mm';
import { Errno, OpenFlag, Poll } from '@rpal/uapi';
import { begin, type Caller, File, Pending, type PollTable } from '@rpal/vfs';
import { MapType, PkuOn, RPAL_API_VERSION, RPAL_CAP_PKU, RPAL_COMPAT_VERSION, RpalIoctl } from '../abi/constants.js';
import { RequestArg, ServiceMetadata, VersionInfo } from '../abi/layouts.js';
import { LINKING, UNLINKING } from '../memory/copied-entries.js';
import { chooseKey, keyInstallation } from '../memory/pkey.js';
import { mapSharedPages } from '../memory/shared-pages.js';
import type { Rpal } from '../rpal.js';
import { ServiceChange } from '../seams.js';
import { LockedOperation, type Phase } from '../services/locked-operation.js';
import type { Metadata, RpalService } from '../services/service.js';
import { type RpalTask, rpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';
import { registerReceiver, registerSender, unregisterReceiver, unregisterSender } from '../threads/threads.js';
import { mapSocket } from './fd-map.js';
import { disable, release, request } from './requests.js';

/** /proc/rpal (patches 06, 07, 12): how a program talks to the kernel half of RPAL. */
export class ProcRpal extends File {
  readonly #rpal: Rpal;

  constructor(rpal: Rpal, flags: number) {
    super(flags & (OpenFlag.ACCMODE | OpenFlag.NONBLOCK));
    this.#rpal = rpal;
  }

  override ioctl(cpu: Cpu, caller: Caller, command: number, argument: number): number {
    const thread = rpalTask(caller.task);
    const { service } = thread.rpal;
    if (service === null) return -Errno.EINVAL;
    cpu.charge(RpalStep.ioctlBody);
    const rpal = this.#rpal;
    switch (command) {
      case RpalIoctl.GET_API_VERSION_AND_CAP:
        return this.#version(cpu, thread, argument);
      case RpalIoctl.GET_SERVICE_KEY:
        return putUser64(cpu, thread.memory, argument, service.key);
      case RpalIoctl.GET_SERVICE_ID:
        return putUser32(cpu, thread.memory, argument, service.id);
      case RpalIoctl.GET_SERVICE_PKEY:
        return putUser32(cpu, thread.memory, argument, service.pkey);
      case RpalIoctl.REGISTER_SENDER:
        return registerSender(rpal, cpu, thread, argument);
      case RpalIoctl.UNREGISTER_SENDER:
        return unregisterSender(rpal, cpu, thread);
      case RpalIoctl.REGISTER_RECEIVER:
        return registerReceiver(rpal, cpu, thread, argument);
      case RpalIoctl.UNREGISTER_RECEIVER:
        return unregisterReceiver(rpal, cpu, thread);
      case RpalIoctl.ENABLE_SERVICE:
        return this.#enable(cpu, thread, service, argument);
      case RpalIoctl.DISABLE_SERVICE:
        return this.#disable(cpu, thread, service);
      case RpalIoctl.REQUEST_SERVICE:
        return this.#request(cpu, thread, service, argument);
      case RpalIoctl.RELEASE_SERVICE:
        return this.#release(cpu, thread, service, argument);
      case RpalIoctl.UDS_FDMAP:
        return mapSocket(rpal, cpu, thread, argument);
      default:
        return -Errno.EINVAL;
    }
  }

  #version(cpu: Cpu, { memory }: RpalTask, address: number): number {
    const failed =
      putUser32(cpu, memory, address + VersionInfo.compatVersion, RPAL_COMPAT_VERSION) ||
      putUser32(cpu, memory, address + VersionInfo.apiVersion, RPAL_API_VERSION);
    return failed || putUser64(cpu, memory, address + VersionInfo.cap, RPAL_CAP_PKU);
  }

  /** ENABLE (patches 10, 24, 25). Enabling twice changes nothing. */
  #enable(cpu: Cpu, thread: RpalTask, service: RpalService, argument: number): number {
    const rpal = this.#rpal;
    if (service.bad) return -Errno.EINVAL;
    const record = readRecord(cpu, thread, argument, ServiceMetadata.size);
    if (record === null) return -Errno.EFAULT;
    const metadata: Metadata = {
      userMeta: record.word64(ServiceMetadata.userMeta),
      retBegin: record.word64(ServiceMetadata.retBegin),
      retEnd: record.word64(ServiceMetadata.retEnd),
    };
    if (!service.isCorrect(metadata.retBegin) || !service.isCorrect(metadata.retEnd)) return -Errno.EINVAL;
    const wanted = record.word32(ServiceMetadata.pkey);
    const phases = [
      () => {
        if (service.enabled) return 0;
        service.metadata = metadata;
        return Pending.AGAIN;
      },
      ...(service.pkuOn === PkuOn.FALSE ? keyInstallation(rpal, service, thread, chooseKey(service, wanted)) : []),
      (on: Cpu) => {
        service.enabled = true;
        rpal.changed(on, service, ServiceChange.ENABLED);
        return 0;
      },
    ];
    return this.#locked(cpu, thread, service, 'ENABLE_SERVICE (patch 10)', phases);
  }

  /** REQUEST (patch 11): results are stored before the entries are made, so even a refused request has learnt them. */
  #request(cpu: Cpu, thread: RpalTask, service: RpalService, argument: number): number {
    const rpal = this.#rpal;
    const record = readRecord(cpu, thread, argument, RequestArg.size);
    if (record === null) return -Errno.EFAULT;
    const key = record.word64(RequestArg.key);
    if (key === service.key) return -Errno.EINVAL;
    if (service.requestsLeft === 0) return -Errno.EINVAL;
    return this.#locked(cpu, thread, service, 'REQUEST_SERVICE (patch 11)', [
      (on) => {
        if (!service.enabled) return -Errno.EINVAL;
        const target = rpal.byKey.get(key);
        if (target === undefined) return -Errno.EINVAL;
        if (!target.enabled) return -Errno.EPERM;
        if (target.pkey === service.pkey) return -Errno.EINVAL;
        const { memory } = thread;
        if (putUser32(on, memory, record.word64(RequestArg.pkey), target.pkey) < 0) return -Errno.EFAULT;
        if (putUser64(on, memory, record.word64(RequestArg.userMetap), target.metadata?.userMeta ?? 0) < 0) return -Errno.EFAULT;
        if (putUser32(on, memory, record.word64(RequestArg.id), target.id) < 0) return -Errno.EFAULT;
        const links = ((service.map[target.id]?.type ?? 0) & MapType.REVERSE) !== 0;
        if (links && !awaitMemory(rpal, on, thread, LINKING, service, target)) return Pending.SLEEP;
        return request(rpal, on, service, target);
      },
    ]);
  }

  /** DISABLE (patch 10): all own requests go. */
  #disable(cpu: Cpu, thread: RpalTask, service: RpalService): number {
    const rpal = this.#rpal;
    return this.#locked(cpu, thread, service, 'DISABLE_SERVICE (patch 10)', [
      (on) => {
        const requested = service.map.filter(({ type }) => (type & MapType.REQUEST) !== 0).map((entry) => entry.service);
        for (const target of requested) {
          if (target !== null && !awaitMemory(rpal, on, thread, UNLINKING, service, target)) return Pending.SLEEP;
        }
        return disable(rpal, on, service);
      },
    ]);
  }

  #release(cpu: Cpu, thread: RpalTask, service: RpalService, key: number): number {
    const rpal = this.#rpal;
    if (key === service.key) return -Errno.EINVAL;
    return this.#locked(cpu, thread, service, 'RELEASE_SERVICE (patch 11)', [
      (on) => {
        const entry = service.map.find((candidate) => candidate.service?.key === key && (candidate.type & MapType.REQUEST) !== 0);
        if (entry?.service == null) return -Errno.EINVAL;
        if (!awaitMemory(rpal, on, thread, UNLINKING, service, entry.service)) return Pending.SLEEP;
        release(rpal, on, service, entry.service);
        return 0;
      },
    ]);
  }

  /** Runs phases one after the other, each a step of its own, under the service's mutex. */
  #locked(cpu: Cpu, thread: RpalTask, service: RpalService, site: string, phases: readonly Phase[]): number {
    return begin(cpu, thread, new LockedOperation(thread, service, site, phases));
  }

  /** read (patch 12): the keys of dead peers, in the order of their ids. */
  override read(cpu: Cpu, caller: Caller, address: number, length: number): number {
    const thread = rpalTask(caller.task);
    const { service } = thread.rpal;
    if (service === null) return -Errno.EINVAL;
    const keys = [...service.deadKeys].sort(([a], [b]) => a - b).map(([, key]) => key);
    const room = this.#rpal.quirk('read-ignores-count') ? keys.length : Math.floor(length / 8);
    let stored = 0;
    for (const key of keys.slice(0, room)) {
      if (putUser64(cpu, thread.memory, address + stored, key) < 0) return -Errno.EAGAIN;
      stored += 8;
    }
    return stored;
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    const service = rpalTask(this.#rpal.kernel.scheduler.current(cpu)).rpal.service;
    if (service === null) return 0;
    table?.register(cpu, service.deathWait);
    return service.deadKeys.size > 0 ? Poll.IN | Poll.RDNORM : 0;
  }

  override mmap(cpu: Cpu, caller: Caller, hint: number, length: number, prot: number, flags: number): number {
    return mapSharedPages(this.#rpal, cpu, rpalTask(caller.task), hint, length, prot, flags);
  }
}

/**
 * Can the locks of the memory of two services be taken? Else the thread is about to wait, with the mutex held.
 * @param site what takes them, and its patch
 */
function awaitMemory({ kernel }: Rpal, cpu: Cpu, thread: RpalTask, site: string, ...services: readonly RpalService[]): boolean {
  return services.every(({ mm }) => awaitMmapLock(cpu, kernel.scheduler, thread, mm.mmapLock, site));
}

/** A record copied in from user memory. */
class UserRecord {
  readonly #words: readonly number[];

  constructor(words: readonly number[]) {
    this.#words = words;
  }

  word32(offset: number): number {
    return (this.#words[offset / 4] as number) | 0;
  }

  word64(offset: number): number {
    return ((this.#words[offset / 4 + 1] as number) | 0) * 0x1_0000_0000 + (this.#words[offset / 4] as number);
  }
}

function readRecord(cpu: Cpu, { memory }: RpalTask, address: number, size: number): UserRecord | null {
  const words: number[] = [];
  for (let offset = 0; offset < size; offset += 4) {
    if (userPage(cpu, memory, address + offset, Touch.LOAD) < 0) return null;
    words.push(getUser32(cpu, memory, address + offset));
  }
  return new UserRecord(words);
}
