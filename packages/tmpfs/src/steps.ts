import { defineSteps } from '@rpal/hw-x86';

const COUNTED = 'instructions counted on Linux 6.12.95, mitigations off';

/**
 * Steps of the file system. Those that have not been counted are set beside the counted path that is nearest to them, which their source
 * names, and the middle value lies where that path would put it.
 * @public for meters that ask what a step costs
 */
export const TmpfsStep = defineSteps('@rpal/tmpfs', {
  pathWalk: {
    cause: 'process',
    instructions: 2071,
    events: { lockedOp: 2 },
    source: `${COUNTED}: stat of a path less fstat, without its components: getname, path_init, path hooks of AppArmor, terminate_walk`,
    status: 'counted',
  },
  pathComponent: {
    cause: 'process',
    instructions: 353,
    source: `${COUNTED}: stat with two names more: link_path_walk, __d_lookup_rcu, inode_permission, per component`,
    status: 'counted',
  },
  followLink: { cause: 'process', instructions: [120, 200, 320], source: 'pick_link, shmem_get_link', status: 'estimated' },
  openBody: {
    cause: 'process',
    instructions: 1512,
    events: { lockedOp: 8 },
    source: `${COUNTED}: open of a file that is there, without its path and descriptor`,
    status: 'counted',
  },
  makeInode: {
    cause: 'process',
    instructions: [2480, 4300, 5110],
    events: { lockedOp: 14 },
    source: `${COUNTED}: mkdir (3845), open that creates (about 4300) and symlink (5112), without their paths; link (2482), which makes no inode`,
    status: 'counted',
  },
  removeName: {
    cause: 'process',
    instructions: [3470, 3700, 3970],
    events: { lockedOp: 12 },
    source: `${COUNTED}: rmdir (3474) and unlink (3973) without their paths`,
    status: 'counted',
  },
  moveName: {
    cause: 'process',
    instructions: 4814,
    events: { lockedOp: 20 },
    source: `${COUNTED}: rename without its paths`,
    status: 'counted',
  },
  changeInode: {
    cause: 'process',
    instructions: [1160, 1200, 1241],
    events: { lockedOp: 4 },
    source: `${COUNTED}: chmod and fchmod without path and descriptor`,
    status: 'counted',
  },
  attributes: { cause: 'process', instructions: 658, source: `${COUNTED}: fstat, all but entry, descriptor and return`, status: 'counted' },
  listEntry: { cause: 'process', instructions: 328, source: `${COUNTED}: getdents64 of 10 and 100 names, per name`, status: 'counted' },
  allocateBody: {
    cause: 'memory',
    instructions: 515,
    events: { lockedOp: 3 },
    source: `${COUNTED}: fallocate of one page, without the page`,
    status: 'counted',
  },
  truncateBody: {
    cause: 'memory',
    instructions: 2300,
    events: { lockedOp: 4 },
    source: `${COUNTED}: ftruncate of one page to none, without the page`,
    status: 'counted',
  },
  lockBody: {
    cause: 'process',
    instructions: [350, 550, 900],
    events: { lockedOp: 6 },
    source: 'fcntl_setlk, posix_lock_inode; flock_lock_inode_wait',
    status: 'estimated',
  },
  notifyEvent: {
    cause: 'process',
    instructions: [250, 400, 650],
    events: { lockedOp: 4 },
    source: 'fsnotify, inotify_handle_inode_event, fsnotify_insert_event, per watch that wants the event',
    status: 'estimated',
  },
  deviceAccess: {
    cause: 'process',
    instructions: [301, 307, 313],
    source: `${COUNTED}: read and write of /dev/null, all but entry, descriptor and return`,
    status: 'counted',
  },
  randomByte: {
    cause: 'copy',
    instructions: [0, 0, 0],
    perByte: 'copy',
    source: 'get_random_bytes_user, chacha20 per byte, priced as a copy',
    status: 'estimated',
  },
  writeControl: {
    cause: 'process',
    instructions: [600, 1200, 2500],
    events: { lockedOp: 6 },
    source: 'kernfs_fop_write_iter, cgroup_kn_lock_live, reading of the text; beside the write to a file in memory',
    status: 'estimated',
  },
  moveToCgroup: {
    cause: 'process',
    instructions: [6000, 12_000, 25_000],
    events: { lockedOp: 40 },
    source:
      'cgroup_attach_task: css_set, migration lists, accounting, without the scheduler and without the wait for cgroup_threadgroup_rwsem',
    status: 'estimated',
  },
  memoryFile: {
    cause: 'process',
    instructions: [700, 1100, 1400],
    events: { lockedOp: 6 },
    source:
      'mem_rw: a page of the kernel, mmget_not_zero; timed on 6.18 beside process_vm_readv, whose instructions are counted: 32 bytes take 0.83 of it',
    status: 'estimated',
  },
  memoryFilePage: {
    cause: 'process',
    instructions: [850, 1060, 1300],
    events: { lockedOp: 4 },
    source:
      'access_remote_vm: mmap_lock and get_user_pages_remote of one page; timed likewise: a page takes 1.65 of what it takes there, with a copy more',
    status: 'estimated',
  },
  memoryFileCopy: {
    cause: 'copy',
    perByte: 'copy',
    source: 'copy_from_user_page, copy_to_user_page: a memcpy',
    status: 'derived',
  },
  makeText: { cause: 'process', instructions: [2000, 4000, 8000], source: 'seq_file of a file in /proc', status: 'estimated' },
});
