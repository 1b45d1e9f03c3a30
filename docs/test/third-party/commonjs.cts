import bus = require('@rpal/bus');
import kernel = require('@rpal/kernel');

declare const console: { log(text: string): void };

const hook = new bus.ValueHook<number>('value');
hook.tap('a', (value: number) => value + 1);
const machine: kernel.Machine = kernel.createMachine();
console.log(JSON.stringify({ value: hook.call(41), seams: machine.describe().length > 0 }));
