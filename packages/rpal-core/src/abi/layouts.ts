/**
 * Records that the kernel and the library share, by offset (patches 08, 10, 11, 14, 27, 33 and 35). The two sides must
 * agree on every byte.
 */

/** `rpal_task_context`: registers a thread goes on with. */
export const TaskContext = { r15: 0, r14: 8, r13: 16, r12: 24, rbx: 32, rbp: 40, rip: 48, rsp: 56, size: 64 } as const;

/** `rpal_receiver_call_context` (RCC). */
export const Rcc = {
  rtc: 0,
  receiverId: 64,
  receiverState: 68,
  senderState: 72,
  epPending: 76,
  epPollMagic: 80,
  epfd: 84,
  events: 88,
  maxevents: 96,
  timeout: 100,
  totalTime: 104,
  size: 112,
} as const;

/** `rpal_sender_call_context` (SCC), with its `rpal_error_context` at 64. */
export const Scc = {
  rtc: 0,
  fsbase: 64,
  erip: 72,
  ersp: 80,
  state: 88,
  magic: 92,
  senderId: 96,
  startTime: 104,
  totalTime: 112,
  size: 120,
} as const;

/** `rpal_service_metadata`, the argument of ENABLE. */
export const ServiceMetadata = { version: 0, userMeta: 8, retBegin: 16, retEnd: 24, pkey: 32, size: 40 } as const;

/** `rpal_request_arg`. The last three are pointers to where results go. */
export const RequestArg = { version: 0, key: 8, userMetap: 16, id: 24, pkey: 32, size: 40 } as const;

/** `rpal_version_info`. */
export const VersionInfo = { compatVersion: 0, apiVersion: 4, cap: 8, size: 16 } as const;

/** `rpal_uds_fdmap_arg`. `res` is a pointer to the result: a 64-bit word, receiver in the upper half, descriptor in the lower. */
export const FdmapArg = { serviceId: 0, cfd: 4, res: 8, size: 16 } as const;
