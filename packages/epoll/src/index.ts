export { EpItem, EventPoll, PollEntry } from './eventpoll.js';
export { FdTable, OPEN_MAX } from './fd-table.js';
export { File, type PollTable, WaitingPollTable } from './file.js';
export { begin, type Caller, type Operation, OperationSet, Step } from './operation.js';
export { EpollSeams } from './seams.js';
export { Skb, SkbPool } from './skb.js';
export { FileStep } from './steps.js';
export { SEND_BUFFER_DEFAULT, SocketState, UnixNamespace, UnixStreamSocket } from './unix-socket.js';
