import { defineSteps } from '@rpal/hw-x86';

const COUNTED =
  'libdbus and dbus-daemon 1.14.10, counted by callgrind: calls of a method with a text of 32 bytes, 600 less 100 of them; bytes from texts of 4,096';
const KERNEL = 'written down for this plugin, near sendmsg of a Unix stream socket: no text of AF_DBUS or kdbus at hand';

/**
 * What a program's D-Bus library executes for one method call with a text, and the daemon for one message that it passes on; and what a bus in
 * the kernel does. Bytes of the text are counted apart (`textByte64`). @public for meters that ask what a step costs
 */
export const BusStep = defineSteps('@rpal/kernel-bus', {
  /** The caller makes its message: header, text, and the answer that it would give itself after a time-out. */
  callBuild: {
    cause: 'library',
    mode: 'user',
    instructions: 42_100,
    status: 'counted',
    source: `${COUNTED}; new_method_call 9,300, append_args 8,400, send_with_reply 24,700 (of which 20,600 for the error of a time-out)`,
  },
  /** The callee takes a call apart, without looking whether all of it is well formed. */
  callLoad: {
    cause: 'library',
    mode: 'user',
    instructions: 19_900,
    status: 'counted',
    source: `${COUNTED}; read_write 27,600, pop_message 2,300 and what follows, less validation`,
  },
  callValidate: {
    cause: 'library',
    mode: 'user',
    instructions: 12_600,
    status: 'counted',
    source: `${COUNTED}; _dbus_validate_body_with_reason of header and body`,
  },
  replyBuild: {
    cause: 'library',
    mode: 'user',
    instructions: 16_600,
    status: 'counted',
    source: `${COUNTED}; new_method_return 7,100, append_args 6,100, send 3,500`,
  },
  replyLoad: {
    cause: 'library',
    mode: 'user',
    instructions: 15_800,
    status: 'counted',
    source: `${COUNTED}; pending_call_block 22,100 and what follows, less validation`,
  },
  replyValidate: {
    cause: 'library',
    mode: 'user',
    instructions: 9000,
    status: 'counted',
    source: `${COUNTED}; _dbus_validate_body_with_reason of header and body`,
  },
  /** The daemon: load, look-up of the destination, policy and match rules, sender written into the header, queue. */
  route: {
    cause: 'library',
    mode: 'user',
    instructions: 38_700,
    status: 'counted',
    source: `${COUNTED}; half of what the daemon executes for a call and its reply, less validation`,
  },
  routeValidate: {
    cause: 'library',
    mode: 'user',
    instructions: 9100,
    status: 'counted',
    source: `${COUNTED}; _dbus_validate_body_with_reason of header and body`,
  },
  /** 64 bytes of a text are looked at once: whether they are UTF-8. */
  textByte64: {
    cause: 'library',
    mode: 'user',
    instructions: 461,
    status: 'counted',
    source: `${COUNTED}; _dbus_string_validate_utf8: 7.2 a byte`,
  },
  /** A message goes to a connection: header read, destination and policy looked up, room in its pool, entry in its queue. */
  send: { cause: 'socket', mode: 'kernel', instructions: [600, 1200, 2400], events: { lockedOp: 4 }, status: 'estimated', source: KERNEL },
  /** The first message of the queue is shown to its reader. */
  receive: { cause: 'socket', mode: 'kernel', instructions: [200, 350, 700], events: { lockedOp: 2 }, status: 'estimated', source: KERNEL },
  /** A piece of the pool is given back; a name or a match rule comes or goes. */
  manage: { cause: 'socket', mode: 'kernel', instructions: [100, 250, 500], events: { lockedOp: 2 }, status: 'estimated', source: KERNEL },
  copy: {
    cause: 'copy',
    mode: 'kernel',
    instructions: [20, 40, 80],
    events: { repString: 1 },
    perByte: 'copy',
    status: 'estimated',
    source: KERNEL,
  },
});
