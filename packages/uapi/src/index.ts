export { Errno, errnoName } from './errno.js';
export { AccessMode, At, FallocateMode, FileLock, FileMode, Flock, Inotify, RenameFlag, Resolve } from './file.js';
export { Futex, FutexWord } from './futex.js';
export {
  AddressFamily,
  EPOLL_EVENT_SIZE,
  Epoll,
  EpollIoctl,
  Fcntl,
  FD_CLOEXEC,
  MessageFlag,
  OpenFlag,
  Poll,
  Seek,
  Shutdown,
  SocketOption,
  SocketType,
  SPLICE_F_ALL,
  SPLICE_F_NONBLOCK,
  TFD_TIMER_ABSTIME,
  TFD_TIMER_CANCEL_ON_SET,
} from './io.js';
export { Ipc, Shm } from './ipc.js';
export { Madvise, MapFlag, Mremap, Pkey, Prot } from './memory.js';
export { version } from './package-version.js';
export { Prctl, Prio, RLIM_NLIMITS, Rlimit, Rusage, SchedCore, SchedCoreScope } from './sched.js';
export { Signal, SignalCode, SignalFlag, SignalMask, signalCodeName, signalName, WaitOption } from './signal.js';
export { LinuxCall } from './syscalls.js';
export { Clock, Itimer, isAlarmClock, SigEvent, TIMER_ABSTIME } from './time.js';
export { utf8, utf8Text } from './utf8.js';
