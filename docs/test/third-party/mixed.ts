// An ES module that shares a program with CommonJS code: one instance of each package, and one set of types.
import { definePlugin, NotifyHook } from '@rpal/bus';
import { createMachine, type Machine } from '@rpal/kernel';
import { rpal } from '@rpal/rpal-core';
import commonjs from './commonjs.cjs';

declare const console: { log(text: string): void };

// A seam of one's own completes in the hooks of every plugin.
declare module '@rpal/bus' {
  interface Hooks {
    readonly mixedBegins: NotifyHook<[by: string]>;
  }
}

const own = new NotifyHook<[by: string]>('mixedBegins');
const heard: string[] = [];
const owner = definePlugin<object>({
  name: 'owner',
  version: '1.0.0',
  setup: ({ bus }) => void bus.declare({ hooks: { mixedBegins: own } }),
});
const listener = definePlugin<object>({
  name: 'listener',
  version: '1.0.0',
  requires: { owner: '*' },
  setup: ({ plugin, hooks }) => void hooks.mixedBegins.tap(plugin, (by) => heard.push(by)),
});

const theirs: Machine = commonjs.made.machine;
const machine: Machine = createMachine({ plugins: [commonjs.made.plugin, rpal(), listener(), owner()] });
own.call('main');
console.log(
  JSON.stringify({
    oneInstance: commonjs.made.definePlugin === definePlugin && theirs.constructor === machine.constructor,
    plugins: machine.plugins,
    heard,
  }),
);
