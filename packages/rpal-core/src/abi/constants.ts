import { HUGE_PAGE_SIZE, PML4_ENTRY_SPAN } from '@rpal/hw-x86';

/** Service ids (patch 03). @public for programs that use the ioctls, and reach the limit */
export const RPAL_NR_ID = 254;
export const RPAL_FIRST_KEY = 1;

/** Four characters in the ELF identification bytes make a program an RPAL binary (patch 05). */
export const RPAL_MAGIC = 'RPAL';
export const RPAL_MAGIC_OFFSET = 12;

/** One slice of the address space: what one top-level entry maps (patch 05). */
export const RPAL_ADDR_SPACE_SIZE: number = PML4_ENTRY_SPAN;
/** First address that a service may have. @public for programs that use the ioctls, and reach the limit */
export const RPAL_ADDRESS_SPACE_LOW: number = PML4_ENTRY_SPAN;
/** First address behind those of services. @public for programs that use the ioctls, and reach the limit */
export const RPAL_ADDRESS_SPACE_HIGH: number = 256 * PML4_ENTRY_SPAN;
/** Bits of mmap randomisation, in pages. */
export const RPAL_MAX_RAND_BITS = 20;
/** Applied to the load bias: the image lands in the low 4 GiB of the slice. */
export const RPAL_RAND_SPAN: number = 4 * HUGE_PAGE_SIZE;

/** Outgoing requests of a service (patch 11); receivers (patch 17); shared pages (patch 07). */
export const MAX_REQUEST_SERVICE = 15;
export const RPAL_MAX_RECEIVER_NUM = 16;
export const RPAL_MAX_SHARED_PAGES = 8192;
/**
 * An id is not used again until this long after its last reference has gone (patch 04), ns.
 * @public for programs that use the ioctls, and reach the limit
 */
export const QUARANTINE_NS = 30e9;

/** The recovery point in the sender's record is armed (patch 14). */
export const RPAL_ERROR_MAGIC = 0x98cc98cc | 0;
/** The receiver's record asks for RPAL's epoll_wait (patch 27). */
export const RPAL_EP_POLL_MAGIC = 0xcc98cc98 | 0;

/** Bits of `ep_pending` (patch 27). */
export const RPAL_KERNEL_PENDING = 1;
export const RPAL_USER_PENDING = 2;

/** Receiver states: the low eight bits of the state word (patches 15 and 34). */
export const ReceiverState = { RUNNING: 0, KERNEL_RET: 1, READY: 2, WAIT: 3, CALL: 4, LAZY_SWITCH: 5, READY_LS: 6 } as const;
/** Sender states, kept in the receiver's record. */
export const SenderState = { RUNNING: 0, CALL: 1, KERNEL_RET: 2 } as const;
export const RPAL_RECEIVER_STATE_MASK = 0xff;
export const RPAL_ID_SHIFT = 8;
export const RPAL_SID_SHIFT = 24;

/** Largest id of a sender that the state word has room for (patch 15); as written nobody uses it. */
export const RPAL_MAX_ID = 65535;

/** The state word of a receiver that is being called by sender `senderId` of service `serviceId`. */
export function callState(serviceId: number, senderId: number): number {
  return (serviceId << RPAL_SID_SHIFT) | (senderId << RPAL_ID_SHIFT) | ReceiverState.CALL;
}

/** Bits of a thread's RPAL flags (patches 08, 16, 17, 31). */
export const RpalFlag = { SENDER: 1, RECEIVER: 2, CPU_LOCKED: 4, LAZY_SWITCHED: 8, WAKE: 16 } as const;

/** Bits of a map entry's type (patch 13). */
export const MapType = { REQUEST: 1, REVERSE: 2 } as const;

/** Whether protection keys are in force in a service (patch 29). */
export const PkuOn = { FALSE: 0, INIT: 1, FINISH: 2 } as const;

export const RPAL_COMPAT_VERSION = 1;
export const RPAL_API_VERSION = 1;
export const RPAL_CAP_PKU = 1;

/** Commands of the ioctl on /proc/rpal (patches 06, 08, 10, 11, 25, 28). */
export const RpalIoctl = {
  GET_API_VERSION_AND_CAP: 0xc0083300,
  GET_SERVICE_KEY: 0xc0083301,
  GET_SERVICE_ID: 0xc0083302,
  REGISTER_SENDER: 0xc0083303,
  UNREGISTER_SENDER: 0x3304,
  REGISTER_RECEIVER: 0xc0083305,
  UNREGISTER_RECEIVER: 0x3306,
  ENABLE_SERVICE: 0xc0083307,
  DISABLE_SERVICE: 0x3308,
  REQUEST_SERVICE: 0xc0083309,
  RELEASE_SERVICE: 0xc008330a,
  GET_SERVICE_PKEY: 0xc008330b,
  UDS_FDMAP: 0xc008330c,
} as const;

export const RPAL_PROC_FILE = '/proc/rpal';
