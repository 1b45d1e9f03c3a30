/** A row of the receiver's state table: every way in which the low byte of a receiver's state word changes. */
export interface TransitionRow {
  /** Names of states; `any` for a store or exchange that does not ask. */
  readonly from: string;
  readonly to: string;
  /** Who changes it, and how. */
  readonly who: string;
}

/** The receiver's states (patches 15, 22, 27, 31, 34, 35), by number of the row. */
export const receiverRows: Readonly<Record<number, TransitionRow>> = {
  1: { from: '-', to: 'RUNNING', who: 'receiver in user mode, rpal_receiver_init: store' },
  2: { from: 'any', to: 'READY', who: 'kernel, rpal_ep_poll under the epoll lock: exchange' },
  3: { from: 'READY', to: 'WAIT', who: 'kernel, __switch_to away from a receiver that sleeps: compare-exchange' },
  4: { from: 'READY', to: 'RUNNING', who: 'kernel, __switch_to away from a receiver that was woken late: compare-exchange' },
  5: { from: 'READY', to: 'RUNNING', who: 'kernel, __schedule when blocking failed: compare-exchange' },
  6: { from: 'READY', to: 'RUNNING', who: 'kernel, rpal_ep_poll after sleeping: compare-exchange' },
  7: { from: 'READY, WAIT', to: 'RUNNING', who: 'kernel, wake-up (rpal_check_state): compare-exchange' },
  8: { from: 'WAIT', to: 'RUNNING', who: 'kernel, waker that finds USER_PENDING: compare-exchange' },
  9: { from: 'any', to: 'RUNNING', who: 'kernel, rpal_ep_poll with a result: exchange' },
  10: { from: 'WAIT', to: 'CALL', who: 'sender in user mode, do_rpal_call_jump: compare-exchange' },
  11: { from: 'CALL', to: 'WAIT', who: 'sender in user mode after the return: compare-exchange' },
  12: { from: 'CALL', to: 'WAIT', who: 'kernel, exit or recovery of the sender: compare-exchange' },
  13: { from: 'CALL', to: 'LAZY_SWITCH', who: 'kernel, rpal_lazy_switch_tail, sender to receiver: compare-exchange' },
  14: { from: 'any', to: 'KERNEL_RET', who: 'kernel, rpal_kernel_ret in the receiver: exchange' },
  15: { from: 'LAZY_SWITCH', to: 'READY_LS', who: 'kernel, rpal_fast_ep_poll, receiver to sender: exchange' },
  16: { from: 'READY_LS', to: 'LAZY_SWITCH', who: 'kernel, rpal_fast_ep_poll when events have arrived: store' },
  17: { from: 'READY_LS', to: 'WAIT', who: 'kernel, rpal_lazy_switch_tail, receiver to sender: compare-exchange' },
  18: { from: 'READY_LS', to: 'RUNNING', who: 'kernel, rpal_schedule when blocking failed: compare-exchange' },
};

/** The sender's state as its receiver sees it, by number of the row. */
export const senderRows: Readonly<Record<number, TransitionRow>> = {
  1: { from: 'any', to: 'CALL', who: 'sender in user mode, after it has won the receiver: store' },
  2: { from: 'CALL', to: 'RUNNING', who: 'receiver in user mode, rpal_ret_critical, the decision to return: compare-exchange' },
  3: { from: 'any', to: 'KERNEL_RET', who: 'kernel, rpal_kernel_ret in the sender: exchange' },
  4: { from: 'CALL', to: 'KERNEL_RET', who: 'kernel, exit or recovery of the sender: compare-exchange' },
};
