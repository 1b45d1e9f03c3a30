export { type Dependency, LockOrder, LockProblem, type LockReport, reportText, type Taken } from './lock-order.js';
export { lockdep, lockOrderOf } from './plugin.js';
