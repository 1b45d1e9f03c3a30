import { MemFd } from '@rpal/ipc';
import { MemoryFile } from '@rpal/mm';
import { Epoll, EpollIoctl, Errno, OpenFlag, Poll } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { EpollStep } from '../src/index.js';
import { EpollLab } from './lab.js';

describe('the parameters of busy polling', () => {
  it('are kept, within their bounds', () => {
    const lab = new EpollLab();
    const epoll = lab.epoll();
    const set = (microseconds: number, rest: number, uid = 0) => {
      lab.storeWord(lab.buffer, microseconds);
      lab.storeWord(lab.buffer + 4, rest);
      const caller = { ...lab.caller, credentials: { pid: 1, uid, gid: 0 } };
      return lab.call((cpu) => epoll.ioctl(cpu, caller, EpollIoctl.SPARAMS, lab.buffer));
    };
    expect([set(0x7fff_ffff, 64 | (1 << 16), 1000), set(0x8000_0000, 1), set(1, 2 << 16), set(1, 1 << 24)]).toEqual([
      0,
      -Errno.EINVAL,
      -Errno.EINVAL,
      -Errno.EINVAL,
    ]);
    expect([set(1, 65, 1000), set(5, 65)]).toEqual([-Errno.EPERM, 0]);
    const get = (command: number, address: number) => lab.call((cpu, caller) => epoll.ioctl(cpu, caller, command, address));
    expect([get(EpollIoctl.GPARAMS, lab.buffer + 64), lab.word(lab.buffer + 64), lab.word(lab.buffer + 68)]).toEqual([0, 5, 65]);
    expect([get(EpollIoctl.GPARAMS, 0x1000), get(1, lab.buffer)]).toEqual([-Errno.EFAULT, -Errno.EINVAL]);
  });
});

describe('epoll_ctl', () => {
  it('refuses files that are always ready', () => {
    const lab = new EpollLab();
    const file = new MemFd(new MemoryFile(lab.manager, '/x'), OpenFlag.RDWR).get();
    expect(lab.call((cpu) => lab.epoll().control(cpu, Epoll.CTL_ADD, file, 3, Poll.IN, 0, 0))).toBe(-Errno.EPERM);
  });

  it('books each call, and epoll_wait its body', () => {
    const lab = new EpollLab();
    const epoll = lab.epoll();
    const [a] = lab.pair();
    const { ownLedger } = lab.cpu;
    for (const [operation, step] of [
      [Epoll.CTL_ADD, EpollStep.epollAdd],
      [Epoll.CTL_MOD, EpollStep.epollModify],
      [Epoll.CTL_DEL, EpollStep.epollDelete],
    ] as const) {
      const before = ownLedger.booked(step);
      lab.call((cpu) => epoll.control(cpu, operation, a, 3, Poll.IN, 0, 0));
      expect(ownLedger.booked(step)).toBeGreaterThan(before);
    }
    lab.events(epoll);
    expect(ownLedger.booked(EpollStep.epollWaitBody)).toBeGreaterThan(0);
  });
});
