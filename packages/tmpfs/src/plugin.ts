import { BusError, definePlugin, type Plugin } from '@rpal/bus';
import { Program, type Syscall, type SyscallHandler, type SyscallTable } from '@rpal/kernel';
import { Errno, LinuxCall } from '@rpal/uapi';
import { z } from 'zod';
import manifest from '../package.json' with { type: 'json' };
import { ArchiveError } from './archive/archive-error.js';
import { filesOfCpio, isCpio } from './archive/cpio.js';
import { directoryAt, type FileRecord, plant } from './archive/records.js';
import { filesOfTar, isTar } from './archive/tar.js';
import { defineAttributeCalls, ownersOmitTimes } from './calls/attribute-calls.js';
import { definer } from './calls/call-table.js';
import { defineDataCalls, readvToldToWatchers } from './calls/data-calls.js';
import { defineNameCalls } from './calls/name-calls.js';
import { defineNotifyCalls } from './calls/notify-calls.js';
import { definePlaceCalls } from './calls/place-calls.js';
import { defineTransferCalls, spliceOfFiles } from './calls/transfer-calls.js';
import { CgroupHierarchy } from './cgroup/cgroup.js';
import { mountCgroups } from './cgroup/cgroup-directory.js';
import { devices, STANDARD_FILES } from './dev/devices.js';
import { mountProc } from './proc/proc-tree.js';
import { FileTreeCalls } from './program/file-tree-calls.js';
import { FileTree } from './tree/file-tree.js';
import { FileClock } from './tree/timestamp.js';
import { TreeFileSystem } from './tree-file-system.js';

const options = z
  .object({
    /** What the tree begins with: an archive of tar or of cpio (`newc`). */
    archive: z.instanceof(Uint8Array).optional(),
    /** What else it begins with, after the archive. */
    files: z.array(z.custom<FileRecord>((value) => typeof value === 'object' && value !== null)).default([]),
    /** Seconds since 1970 at which the machine was booted: files know no other clock. */
    bootTime: z.number().int().default(0),
  })
  .strict();

export type TmpfsOptions = z.input<typeof options>;

const installed = new WeakMap<object, FileTree>();

/** The tree of a machine, for tools that look inside. @throws BusError MISSING_REQUIREMENT without the plugin @public for tools that make or read trees */
export function treeOf(machine: object): FileTree {
  const tree = installed.get(machine);
  if (tree === undefined)
    throw new BusError('MISSING_REQUIREMENT', 'this machine was built without @rpal/tmpfs; add tmpfs() to its plugins');
  return tree;
}

/**
 * A file system in memory, with everything that Linux does on paths. The tree has `/dev`, `/proc` and `/tmp`, and what archive and files
 * put there.
 */
export const tmpfs: (options?: TmpfsOptions) => Plugin = definePlugin<z.output<typeof options>, TmpfsOptions>({
  name: manifest.name,
  version: manifest.version,
  requires: { '@rpal/kernel': '^0.3.0' },
  options,
  setup({ plugin, hooks, slots, syscalls, machine }, { archive, files, bootTime }) {
    const tree = new FileTree(machine.kernel, new FileClock(bootTime));
    installed.set(machine, tree);
    for (const [number, opener] of devices) tree.devices.set(number, opener);
    plant(tree, STANDARD_FILES);
    if (archive !== undefined) plant(tree, filesOfArchive(archive));
    plant(tree, files);
    const cgroups = new CgroupHierarchy(machine.kernel);
    mountProc(tree, directoryAt(tree, 'proc'), cgroups);
    mountCgroups(tree, directoryAt(tree, 'sys/fs/cgroup'), cgroups);
    slots.fileSystem.provide(plugin, new TreeFileSystem(tree));
    hooks.kernelClone.tap(plugin, (_cpu, parent, child) => {
      if (child.process === parent.process) return;
      tree.contexts.inherit(parent.process, child.process);
      cgroups.inherit(parent.process, child.process);
      const executable = tree.executables.get(parent.process);
      if (executable !== undefined) tree.executables.set(child.process, executable);
    });
    const define = definer(syscalls, plugin);
    defineNameCalls(define, tree);
    defineAttributeCalls(define, tree);
    definePlaceCalls(define, tree);
    syscalls.extend(LinuxCall.readv, readvToldToWatchers, { plugin });
    syscalls.extend(LinuxCall.fcntl, ownersOmitTimes(tree), { plugin });
    defineDataCalls(define, tree, { readv: handlerOf(syscalls, LinuxCall.readv), writev: handlerOf(syscalls, LinuxCall.writev) });
    defineNotifyCalls(define, tree);
    defineTransferCalls(define, tree);
    // Pipes and sockets are @rpal/posix's, which may be there, or come yet.
    if (syscalls.get(LinuxCall.splice) !== undefined) syscalls.extend(LinuxCall.splice, spliceOfFiles(tree), { plugin });
    else
      define(
        'splice',
        spliceOfFiles(tree)(() => -Errno.EINVAL),
        { holds: [0, 2], missing: 'files that are both pipes, or sockets' },
      );
    Program.add(FileTreeCalls);
  },
});

/** A call that every kernel has. */
function handlerOf(table: SyscallTable, nr: number): SyscallHandler {
  return (table.get(nr) as Syscall).handler;
}

/** The files of an archive, whichever of the two kinds it is. @throws ArchiveError @public for tools that make or read trees */
export function filesOfArchive(bytes: Uint8Array): FileRecord[] {
  if (isCpio(bytes)) return filesOfCpio(bytes);
  if (isTar(bytes)) return filesOfTar(bytes);
  throw new ArchiveError(`these ${bytes.length} bytes are an archive neither of tar nor of cpio's newc; unpack compressed ones first`);
}
