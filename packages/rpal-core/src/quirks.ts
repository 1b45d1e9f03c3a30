/** The names of what the series does although it looks unintended, as `repair` takes them. `quirks` says what each is. */
export const quirkNames = [
  'one-pointer-two-roles',
  'registration-error-exits',
  'fair-class-unchecked',
  'shared-page-leak',
  'shared-page-kill',
  'shared-page-split',
  'lock-order-inverted',
  'balloon-failure-unchecked',
  'read-ignores-count',
  'tlb-range-filter',
  'enable-ignores-key-failure',
  'foreign-bits-hang',
  'wake-up-cpu-uninitialised',
  'waker-holds-nobody',
  'refused-wake-up-consumed',
  'refused-task-stays-waking',
  'refused-wake-up-succeeds',
  'kill-refused',
  'wake-up-not-rechecked',
  'fork-keeps-cpu-count',
  'cpu-lock-nests',
  'cpu-lock-fails',
  'offline-unblocked',
  'quota-rechecked',
  'core-pick-unchecked',
  'fs-base-of-register-cleared',
  'fs-base-before-record',
  'unregister-in-call',
  'receiver-ends-before-return',
  'ret-section-needs-sender',
  'sender-id-unchecked',
  'compat-entries-unhooked',
  'fred-entries-unhooked',
  'lazy-switch-unchecked',
  'fdmap-copy-count',
  'fdmap-silent-failure',
  'fdmap-unverified-waiter',
  'total-time-unchecked',
  'time-slice-misplaced',
  'recovery-credits-nothing',
  'wait-arguments-unchecked',
  'timeout-reread',
  'epoll-without-reference',
  'passed-deadline-spins',
  'wait-in-call-hides-switch',
  'epoll-file-put-twice',
  'fast-epoll-error-lost',
  'fast-epoll-timer-uninitialised',
  'fdmap-result-uninitialised',
  'released-key-found',
  'sender-slot-bitmap',
  'sender-area-too-small',
  'receiver-area-unchecked',
  'mmap-failure-null',
  'failure-without-code',
  'failed-init-leaks',
  'second-init-forgets',
  'exit-not-forgotten',
  'failed-receiver-takes-number',
  'key-zero-found',
  'refused-sender-as-fault',
  'receiver-id-unchecked',
  'event-bits-not-atomic',
  'modify-drops-pending',
  'dead-callers-record-kept',
  'install-race-loses-record',
  'reference-to-empty-slot',
  'nested-recovery-lost',
  'negative-read-length',
  'read-before-init-faults',
  'stamp-ends-in-filler',
] as const;

export type QuirkName = (typeof quirkNames)[number];

/**
 * What the series does although it looks unintended. Each is reproduced unless repaired by name:
 * `rpal({ repair: ['tlb-range-filter'] })`, or all with `repair: 'all'`.
 */
export const quirks: Readonly<Record<QuirkName, string>> = {
  'one-pointer-two-roles': 'A thread can be sender and receiver; the second registration overwrites the record of the first (patch 08)',
  'registration-error-exits': 'When no id is free the object leaks and an id that was never taken is given back (patch 03)',
  'fair-class-unchecked':
    'A thread of a real-time class can be registered; the first lazy switch to or from it stops the kernel (patch 18)',
  'shared-page-leak': 'Unmapping a shared mapping of up to 4096 pages returns only its first page (patch 07)',
  'shared-page-kill':
    'Unmapping shared pages that threads are registered in kills the process and frees the pages, and what the threads then unregister from, all the same (patch 07)',
  'shared-page-split': 'Every part of a shared mapping that is unmapped frees it as if it were the whole (patch 07)',
  'lock-order-inverted':
    'mmap and munmap of shared pages wait for the mutex of the service under the lock of the address space, and ENABLE, REQUEST, RELEASE and DISABLE the other way round: two threads wait for each other for ever (patches 07, 10, 11, 26)',
  'balloon-failure-unchecked':
    'A balloon mapping that fails, as with a limit on the address space, is looked up at its error number (patch 05)',
  'read-ignores-count': 'Reading /proc/rpal writes up to 120 bytes whatever the size of the buffer (patch 12)',
  'tlb-range-filter': 'A ranged TLB flush passes over CPUs that run a peer, so the peer may go on with a stale translation (patch 13)',
  'enable-ignores-key-failure': 'The result of installing the protection key is ignored: the service is enabled anyway (patch 26)',
  'foreign-bits-hang':
    'A wake-up compares the state word with its low byte only: with other bits set in READY or WAIT it tries again for ever, interrupts off (patch 15)',
  'wake-up-cpu-uninitialised':
    'A lazy switch to a receiver that neither runs nor sleeps, but is stopped or half woken, enqueues it on a CPU number that nobody has set (patch 15)',
  'waker-holds-nobody':
    'The waker wakes threads that it has taken no reference on: one that ends in between is used after its end (patch 31)',
  'refused-wake-up-consumed':
    'A receiver that may not be woken uses an exclusive wake-up up: the next waiter on the same epoll sleeps on (patch 27)',
  'refused-task-stays-waking': 'A wake-up that another CPU queued and that is refused leaves the task in the waking state (patch 15)',
  'refused-wake-up-succeeds':
    'A wake-up that is refused counts as done, so KERNEL_PENDING is not set: a receiver that is being called learns of kernel events from the tick only (patches 15, 27)',
  'kill-refused': 'A receiver whose state word says that it is being called cannot be woken, not even to be killed (patch 15)',
  'wake-up-not-rechecked':
    'A wake-up that has passed the state check goes on although its receiver may be READY or WAIT again by then: it can be called while it is being woken (patch 15)',
  'fork-keeps-cpu-count':
    'A child forked in a call gets the affinity from before the lock, but counts as allowed on one CPU: it wakes up on the lowest (patch 23)',
  'cpu-lock-nests':
    'Locking a thread to a CPU that is locked already loses its affinity, and unlocking does not ask whether it is locked (patch 16)',
  'cpu-lock-fails':
    'Locking fails on a CPU that goes offline, and nobody looks at that: the threads of a call count as locked, and are not (patch 16)',
  'offline-unblocked':
    'Taking a CPU offline pushes off threads that a call has locked to it, each to another CPU: the kernel then switches to a thread of another run queue (patches 16, 19)',
  'quota-rechecked':
    'A group out of run time is let go on for a lazy switch and stopped again at once; if nothing else is runnable the kernel panics (patch 18)',
  'core-pick-unchecked': 'With core scheduling in use nobody asks whether both tasks are in the fair class (patch 18)',
  'fs-base-of-register-cleared':
    'Unregistering a receiver clears the entry of the FS base that is loaded: after a change of it none, or that of another receiver (patch 17)',
  'fs-base-before-record': 'A receiver can be found by its FS base before it has its record (patch 17)',
  'unregister-in-call':
    'A receiver may unregister, and register anew, while it is being called: its caller returns to a record that is freed (patches 08, 20)',
  'receiver-ends-before-return':
    'Kernel return of a sender uses the receiver of its last switch, which may have ended or unregistered meanwhile (patches 20, 26)',
  'ret-section-needs-sender':
    'A kernel entry in the ret section dereferences the sender of a lazily switched receiver, which may have none (patch 24)',
  'sender-id-unchecked':
    'The id of a sender is read from its memory at each use, unmasked: if it changes in a call the receiver stays in CALL, and nothing wakes it (patches 21, 22)',
  'compat-entries-unhooked':
    'System calls through the 32-bit entries, INT 0x80 apart, are served as the task of the sender, not of the receiver (patch 21)',
  'fred-entries-unhooked': 'On a CPU with FRED no kernel entry is looked at: all are served as the task of the sender (patch 21)',
  'lazy-switch-unchecked':
    'A foreign FS base is enough for a lazy switch: nobody checks that the receiver is being called, or by whom (patch 17)',
  'fdmap-copy-count': 'UDS_FDMAP returns the number of bytes it could not copy in, a positive number, in place of EFAULT (patch 28)',
  'fdmap-silent-failure': 'UDS_FDMAP returns 0 without a result when it finds no receiver (patch 28)',
  'fdmap-unverified-waiter': 'UDS_FDMAP takes the first waiter of a socket for an epoll item, whatever it is (patch 28)',
  'total-time-unchecked': 'Run time that senders and receivers claim in their own memory is believed (patch 33)',
  'time-slice-misplaced':
    'A correction of run time goes to whichever run queue its CPU brings up to date next: after an interrupt that wakes somebody elsewhere, to a stranger (patch 33)',
  'recovery-credits-nothing': 'Recovery credits run time only if the already replaced instruction pointer is foreign: never (patch 33)',
  'wait-arguments-unchecked':
    'Events go to the buffer that the call context names when they come, as many as it says: to kernel memory, or none for ever (patch 27)',
  'timeout-reread':
    'Whether a wait has a timer to be stopped depends on the timeout in user memory at that moment: one that is left ends a later wait (patches 27, 34)',
  'epoll-without-reference':
    'Kernel return delivers from the epoll of the last wait, though it may have been closed since (patches 27, 34)',
  'passed-deadline-spins':
    'An epoll_wait whose time is up before it could sleep goes round in the kernel until an event or a signal comes (patch 27)',
  'wait-in-call-hides-switch':
    'A wait within a call that collects kernel events leaves RUNNING in the state word: the caller does not switch the kernel back (patch 27)',
  'epoll-file-put-twice':
    'Kernel return drops the epoll file, or what it took for one, once more if fast epoll wait found its arguments wrong (patch 34)',
  'fast-epoll-error-lost': 'An error that fast epoll wait puts in the result register is overwritten on kernel return (patch 34)',
  'fast-epoll-timer-uninitialised':
    'A finite timeout in a call starts, and later cancels, a timer that only an earlier sleeping wait has initialised (patches 27, 34)',
  'fdmap-result-uninitialised': 'rpal_uds_fdmap makes an rpalfd of whatever its argument held when the kernel stored no result (patch 35)',
  'released-key-found': 'rpal_get_request_service_id still finds a service that was released (patch 35)',
  'sender-slot-bitmap': 'Returning a sender slot sets the wrong bit from slot 8 on, and one outside the bitmap from slot 32 on (patch 35)',
  'sender-area-too-small': 'The sender area has slots for 256 records and room for 240 (patch 35)',
  'receiver-area-unchecked': 'The receiver area has room for 36 contexts; rpal_init writes as many as it is asked for (patch 35)',
  'mmap-failure-null': 'A failed mmap is looked for as a null pointer, which it is not (patch 35)',
  'failure-without-code':
    'rpal_init without receivers or without memory for its pool, and rpal_sender_init of a sender, leave the error code as it was (patch 35)',
  'failed-init-leaks':
    'When rpal_init fails after it has made its pool, the pool and its shared page stay: what frees them wants an initialised library (patch 35)',
  'second-init-forgets':
    'A second rpal_init forgets all requests and the roles of all threads before it fails, and closes the descriptor that the library goes on using (patch 35)',
  'exit-not-forgotten': 'rpal_exit leaves the library initialised: rpal_init fails ever after (patch 35)',
  'failed-receiver-takes-number': 'rpal_receiver_init takes a number before it can fail, and does not give it back (patch 35)',
  'key-zero-found': 'rpal_get_request_service_id(0) finds the first slot that was never used (patch 35)',
  'refused-sender-as-fault':
    'A thread that cannot become a sender gets ERR_PEER_MEM from rpal_write_ptrs: the refusal is taken for a fault in peer memory (patch 35)',
  'receiver-id-unchecked':
    'A call believes the receiver number of its rpalfd: one beyond the pool leads it through memory that is not a receiver (patch 35)',
  'event-bits-not-atomic':
    'A caller sets event bits by reading and writing: those that the receiver takes in between come back, and EPOLLRPALOUT is told twice (patch 35)',
  'modify-drops-pending': 'EPOLL_CTL_MOD clears what is pending: words that were announced give no event until more come (patch 35)',
  'dead-callers-record-kept':
    'The record that a caller held when it died is freed only if its owner has mapped the connection, which servers do not: the descriptor number can never be added again (patch 35)',
  'install-race-loses-record':
    'Two threads that add one descriptor to two epoll instances at once can leave its slot in use and without a record (patch 35)',
  'reference-to-empty-slot':
    'Looking up a descriptor whose slot is in use and has no record raises its count of references, which nobody lowers (patch 35)',
  'nested-recovery-lost':
    'A call within rpal_read_access_safety takes the recovery point away from what follows it: a dead peer then kills the thread (patch 35)',
  'negative-read-length': 'rpal_read_ptrs with a negative length reads all there is, whatever the room (patch 35)',
  'read-before-init-faults': 'rpal_read_ptrs looks into the descriptor table before it asks whether there is one (patch 35)',
  'stamp-ends-in-filler':
    'The zero that ends the formatted time stamp of the sample takes the place of the first filler character: byte 18 of each message is 0 (patch 35)',
};

/** The patches that close a race, as `without` takes them. `raceFixes` says what each does. */
export const raceFixPatches = [15, 20, 24, 29, 30, 34] as const;

export type RaceFix = (typeof raceFixPatches)[number];

/**
 * What goes wrong without the part of a patch that closes a race. `rpal({ without: [34] })` leaves that part out, so that
 * the race can be looked for.
 */
export const raceFixes: Readonly<Record<RaceFix, string>> = {
  15: 'Receivers that are being called may be woken, and READY becomes WAIT without a second look at the task state',
  20: 'Kernel return of a sender unlocks itself first and then the receiver, which may have been locked anew by another sender',
  24: 'A kernel entry between the decision to return and the return is not handled: two senders can share a receiver stack',
  29: 'Protection keys count as in force as soon as their installation begins, not only when it is complete',
  30: 'A new task keeps the PKRU that was copied before it could be found by the installation of the key',
  34: 'Fast epoll wait parks a receiver as READY, which looks like a wait of its own elsewhere',
};
