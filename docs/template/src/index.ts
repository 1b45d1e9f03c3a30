export { type PluginNameOptions, pluginName } from './plugin.js';
