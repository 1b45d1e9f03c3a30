/** What a step of the model does: in words, and the function of Linux or of the series that does it, with the patch that brings it. */
type Words = readonly [what: string, where: string];

const CALL = 'rpal_write_ptrs, patch 35';
const WAIT = 'rpal_epoll_wait, patch 35';
const RETURN = 'the ret section, patches 24 and 35';

/** In the order in which a call takes them. A step that is missing here is told by its name. */
const WORDS: Readonly<Record<string, Words>> = {
  '@rpal/kernel:syscallEntry': ['enters the kernel by a system call', 'entry_SYSCALL_64'],
  '@rpal/mm:faultEntry': ['enters the kernel by a page fault', 'asm_exc_page_fault'],
  '@rpal/mm:faultBody': ['maps the page that was missing', 'handle_mm_fault'],
  '@rpal/rpal-core:entryCheck': ["compares the FS base with the current task's slice", 'patches 17 and 21'],
  '@rpal/rpal-core:identify': ['finds out whose code it is that has entered', 'patch 17'],
  '@rpal/rpal-core:cpuLock': ['locks both tasks to this CPU', 'patch 16'],
  '@rpal/rpal-core:cpuUnlock': ['gives both tasks their own CPU masks back', 'patch 16'],
  '@rpal/rpal-core:frameCopy': ['copies the registers of the entry to the other task', 'patch 21'],
  '@rpal/sched:directedPick': ['picks the task that it is told to', 'rpal_pick_next_task_fair, patch 18'],
  '@rpal/rpal-core:resumeEpoll': ["takes the receiver's wait entry and timer back", 'rpal_resume_ep, patch 27'],
  '@rpal/rpal-core:fastEpoll': ['has the receiver wait for events again', 'rpal_fast_ep_poll, patch 34'],
  '@rpal/rpal-core:switchTail': ['settles the states after the switch', 'rpal_lazy_switch_tail, patches 19 and 34'],
  '@rpal/rpal-core:kernelReturn': ['returns to user mode as a receiver', 'rpal_kernel_ret, patches 20 and 26'],
  '@rpal/rpal-core:stateChange': ["changes the receiver's state word", 'patch 15'],
  '@rpal/rpal-core:critical': ['finds the entry in the ret section and mends it', 'rpal_ret_critical, patch 24'],
  '@rpal/rpal-core:recover': ['rebuilds the state of a call that broke off', 'patches 14 and 22'],
  '@rpal/rpal-core:waker': ['looks whether a receiver has to be woken', 'the waker, patch 31'],
  '@rpal/rpal-core:epollBody': ['waits for events as a receiver', 'rpal_ep_poll, patch 27'],
  '@rpal/rpal-core:epollBlock': ['goes to sleep in that', 'rpal_ep_poll, patch 27'],
  '@rpal/rpal-core:kernelKeyLoad': ['loads the PKRU of the task', 'patch 26'],
  '@rpal/rpal-core:setPkru': ["sets a thread's PKRU", 'patch 26'],
  '@rpal/rpal-core:ioctlBody': ['carries out a command of /proc/rpal', 'patch 6'],
  '@rpal/rpal-core:register': ['registers or releases a sender or receiver', 'patch 8'],
  '@rpal/rpal-core:link': ['copies or drops page-table entries of the peer', 'rpal_map_service, patch 9'],
  '@rpal/rpal-core:request': ['requests or releases a service', 'rpal_request_service, patch 11'],
  '@rpal/rpal-core:fdMap': ['pairs two sockets', 'rpal_uds_fdmap, patch 28'],
  '@rpal/rpal-core:sharedPage': ['maps a shared page', 'rpal_mmap, patch 7'],
  '@rpal/librpal:writeEnter': ['the sender calls', CALL],
  '@rpal/librpal:openPeer': ["it opens the receiver's memory to itself", CALL],
  '@rpal/librpal:findReceiver': ['it finds the receiver of the socket', CALL],
  '@rpal/librpal:fdGet': ["it takes the receiver's descriptor", CALL],
  '@rpal/librpal:queueSpin': ['it spins for the lock of the queue', CALL],
  '@rpal/librpal:queueLock': ["it locks the receiver's queue", CALL],
  '@rpal/librpal:dataPut': ['it puts the message into the queue', CALL],
  '@rpal/librpal:outPut': ['it puts an EPOLLOUT into the queue', CALL],
  '@rpal/librpal:readyAppend': ["it appends the descriptor to the receiver's ready list", CALL],
  '@rpal/librpal:queueUnlock': ['it unlocks the queue', CALL],
  '@rpal/librpal:callBegin': ['it tries to take the receiver, WAIT to CALL', CALL],
  '@rpal/librpal:callStamp': ['it notes when the call began', CALL],
  '@rpal/librpal:callJump': ["it jumps to the receiver's stack and code", 'rpal_call_jump, patch 35'],
  '@rpal/librpal:arrive': ["the receiver's code runs, with its key and FS base", 'patch 35'],
  '@rpal/librpal:collectBegin': ['the receiver begins to collect events', 'rpal_try_send_events, patch 35'],
  '@rpal/librpal:collectOne': ['the receiver collects an event', 'rpal_try_send_events, patch 35'],
  '@rpal/librpal:collectEnd': ['the receiver has its events', 'rpal_epoll_wait_user, patch 35'],
  '@rpal/librpal:readPtrs': ['the receiver reads its message', 'rpal_read_ptrs, patch 35'],
  '@rpal/librpal:waitEnter': ['the receiver waits for the next one', WAIT],
  '@rpal/librpal:waitJump': ['it jumps back to its own waiting', WAIT],
  '@rpal/librpal:saveContext': ['it saves where the next call goes on', WAIT],
  '@rpal/librpal:armWait': ['it prepares to sleep in the kernel', WAIT],
  '@rpal/librpal:returnDecide': ['it decides to return to the sender, CALL to WAIT', RETURN],
  '@rpal/librpal:returnKey': ["it puts the sender's PKRU back", RETURN],
  '@rpal/librpal:returnBase': ["it puts the sender's FS base back", RETURN],
  '@rpal/librpal:returnJump': ["it jumps to the sender's stack and code", RETURN],
  '@rpal/librpal:dummyRead': ['the sender reads a word of its own memory', 'patch 35'],
  '@rpal/librpal:callEnd': ['the sender notes when the call ended', CALL],
  '@rpal/librpal:writeLeave': ["it closes the receiver's memory and returns", CALL],
  '@rpal/librpal:setup': ['the library sets itself up', 'rpal_init, patch 35'],
  '@rpal/epoll:pollCallback': ['tells epoll that a file is ready', 'ep_poll_callback'],
  '@rpal/epoll:epollSendEvents': ['hands events to user mode', 'ep_send_events'],
  '@rpal/sched:wakeBody': ['wakes a task', 'try_to_wake_up'],
  '@rpal/sched:wakeReceive': ['takes a wake-up from another CPU', 'sched_ttwu_pending'],
  '@rpal/sched:wakeEnqueue': ['puts a task on the run queue', 'ttwu_do_activate'],
  '@rpal/sched:waitEntry': ['queues itself to wait', 'add_wait_queue'],
  '@rpal/sched:dequeue': ['takes itself off the run queue', 'dequeue_task_fair'],
  '@rpal/sched:pickNext': ['picks the next task', 'pick_next_task'],
  '@rpal/sched:pickIdle': ['picks the idle task', 'pick_next_task'],
  '@rpal/sched:switchTo': ['switches to it', 'context_switch'],
  '@rpal/sched:finishSwitch': ['finishes the switch', 'finish_task_switch'],
  '@rpal/sched:idleEnter': ['goes idle', 'cpuidle_enter'],
  '@rpal/sched:idleLeave': ['leaves idle', 'do_idle'],
  '@rpal/sched:timerExpire': ['handles a timer that is due', 'hrtimer_interrupt'],
  '@rpal/mm:flushReceive': ['flushes its TLB for another CPU', 'flush_tlb_func'],
  '@rpal/mm:exitMm': ['gives its memory back', 'exit_mmap'],
  '@rpal/kernel:exit': ['ends', 'do_exit'],
  '@rpal/kernel:syscallReturn': ['returns to user mode', 'syscall_exit_to_user_mode'],
};

/** Steps that only go with others, and say nothing of their own. */
const BESIDE =
  /(Reload|Refetch|Pressure|libcStub|syscallDispatch|keyLoad|scheduleBody|interruptExit|switchMm|switchMmLazy|loadCr3|wakePreemptCheck)$/;

/** @param names of the steps that something has been charged for @returns sentences without their full stops, in the order of a call */
export function inStepWords(names: readonly string[]): readonly string[] {
  const known = Object.keys(WORDS).filter((name) => names.includes(name) || names.includes(name.replace(':', '/O2:')));
  const others = names.filter((name) => !known.includes(name.replace('/O2', '')) && !BESIDE.test(name));
  const told = known.map((name) => {
    const [what, where] = WORDS[name] as Words;
    return `${what} (${where})`;
  });
  return told.length === 0 && others.length > 0 ? [`does ${others.map((name) => name.replace('@rpal/', '')).join(', ')}`] : told;
}
