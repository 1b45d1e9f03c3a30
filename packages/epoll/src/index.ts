export { EpItem, type EpollRules, type EpollWaitHook, EventPoll, EventPolls, MAX_EVENTS, PollEntry } from './eventpoll/eventpoll.js';
export { version } from './package-version.js';
export { EpollSeams } from './seams.js';
export { EpollStep, EpollStepSources } from './steps.js';
