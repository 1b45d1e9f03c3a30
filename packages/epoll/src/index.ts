export { EpItem, EventPoll, PollEntry } from './eventpoll/eventpoll.js';
export { EpollSeams } from './seams.js';
export { EpollStep } from './steps.js';
