import type { Group } from '../mutant.ts';

export const epoll: Group = {
  package: 'packages/epoll',
  // Its own tests notice all of them: no kernel is needed.
  tests: ['waiting', 'busy-poll', 'nesting', 'ready-list', 'eventpoll'],
  mutants: [
    {
      kind: 'wake-up',
      text: 'if (!this.#ready.empty) this.wait.wakeOne(cpu);',
      mutated: '',
    },
    {
      kind: 'wake-up',
      text: 'if ((file.poll(cpu, item) & item.events) !== 0) this.#makeReady(cpu, item);',
      mutated: 'file.poll(cpu, item);',
    },
    { kind: 'wake-up', text: 'if ((item.file.poll(cpu, null) & events) !== 0) this.#makeReady(cpu, item);', mutated: '' },
    { kind: 'wake-up', text: 'if ((item.events & Epoll.EXCLUSIVE) !== 0) exclusiveWake = usesUp(key, item.events);', mutated: '' },
    {
      kind: 'wake-up',
      text: 'if ((item.events & ~PRIVATE_BITS) === 0 || (key !== 0 && (key & item.events) === 0)) {',
      mutated: 'if ((item.events & ~PRIVATE_BITS) === 0) {',
    },
    { kind: 'errno', text: 'if (!file.pollable) return -Errno.EPERM;', mutated: '' },
    {
      kind: 'errno',
      text: 'if (operation === Epoll.CTL_MOD || file instanceof EventPoll || (events & ~EXCLUSIVE_OK_BITS) !== 0)',
      mutated: 'if (file instanceof EventPoll || (events & ~EXCLUSIVE_OK_BITS) !== 0)',
    },
    { kind: 'errno', text: 'if ((item.events & Epoll.EXCLUSIVE) !== 0) return -Errno.EINVAL;', mutated: '' },
    { kind: 'errno', text: 'if (item !== undefined) return -Errno.EEXIST;', mutated: '' },
    {
      kind: 'errno',
      text: 'if (this.polls.watches >= this.polls.maxUserWatches) return -Errno.ENOSPC;',
      mutated: 'if (this.polls.watches > this.polls.maxUserWatches) return -Errno.ENOSPC;',
    },
    {
      kind: 'bound',
      text: 'if (maximum <= 0 || maximum > MAX_EVENTS) return -Errno.EINVAL;',
      mutated: 'if (maximum < 0 || maximum > MAX_EVENTS) return -Errno.EINVAL;',
    },
    { kind: 'bound', text: 'if (depth > MAX_NESTS) return true;', mutated: '' },
    {
      kind: 'bound',
      text: 'if ((counts[depth] as number) > (PATH_LIMITS[depth] as number)) return true;',
      mutated: 'if ((counts[depth] as number) >= (PATH_LIMITS[depth] as number)) return true;',
    },
    {
      kind: 'bound',
      text: 'down > MAX_NESTS || down + 1 + depthAbove(graph, epoll, new Map()) > MAX_NESTS',
      mutated: 'down + 1 + depthAbove(graph, epoll, new Map()) > MAX_NESTS + 1',
    },
    { kind: 'state', text: 'if ((item.events & Epoll.ONESHOT) !== 0) {', mutated: 'if ((item.events & Epoll.ONESHOT) === -1) {' },
    { kind: 'state', text: '} else if ((item.events & Epoll.ET) === 0) {', mutated: '} else if ((item.events & Epoll.ET) !== 0) {' },
    { kind: 'order', text: 'if (this.#last === item) this.#last = previous;', mutated: '' },
    { kind: 'order', text: 'if (levelLast === null) levelFirst = item;', mutated: 'if (levelLast !== null) levelFirst = item;' },
    { kind: 'errno', text: 'if (task.signalPending) return -Errno.EINTR;', mutated: '' },
    { kind: 'state', text: 'if (this.#timedOut) return 0;', mutated: '' },
    { kind: 'bound', text: 'microseconds > 0x7fff_ffff', mutated: 'microseconds > 0xffff_ffff' },
    {
      kind: 'permission',
      text: 'if ((rest & 0xffff) > BUDGET_MAX && credentials.uid !== 0) return -Errno.EPERM;',
      mutated: 'if ((rest & 0xffff) >= BUDGET_MAX && credentials.uid !== 0) return -Errno.EPERM;',
    },
    { kind: 'cost', text: 'cpu.charge(EpollStep.epollModify);', mutated: '' },
    { kind: 'cost', text: 'cpu.charge(EpollStep.epollWaitBody);', mutated: '' },
    {
      kind: 'cost',
      text: 'cpu.charge(EpollStep.pollCallbackFiltered);',
      mutated: '',
    },
  ],
};
