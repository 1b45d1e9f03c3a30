import bus = require('@rpal/bus');
import kernel = require('@rpal/kernel');

declare const console: { log(text: string): void };

const hook = new bus.ValueHook<number>('value');
hook.tap('a', (value: number) => value + 1);
const machine: kernel.Machine = kernel.createMachine();

/** What an ES module is given: a plugin and a machine that CommonJS code has made. */
const made: { readonly plugin: bus.Plugin; readonly machine: kernel.Machine; readonly definePlugin: typeof bus.definePlugin } = {
  plugin: bus.definePlugin<object>({
    name: 'commonjs-plugin',
    version: '1.0.0',
    setup({ plugin, hooks }) {
      hooks.schedSwitch.tap(plugin, () => {});
    },
  })(),
  machine,
  definePlugin: bus.definePlugin,
};

console.log(JSON.stringify({ value: hook.call(41), seams: machine.describe().length > 0 }));
export = { made };
