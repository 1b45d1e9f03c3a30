export { Bus, type Events, type Hooks, type SeamDescription, type Seams, type Slots } from './bus.js';
export { BusError, type BusErrorCode, TapError } from './errors.js';
export { EventSeam } from './event.js';
export { FirstAnswerHook, Hook, NotifyHook, type Tap, ValueHook } from './hook.js';
export { definePlugin, type Plugin, type PluginContext, type PluginDefinition } from './plugin.js';
export { PluginHost } from './plugin-host.js';
export { Slot, type SlotOptions } from './slot.js';
