import { defineSteps } from '@rpal/hw-x86';

/**
 * Steps of the file system. None of them has been counted; each is set beside the counted path that is nearest to it, which its source
 * names, and the middle value lies where that path would put it.
 * @public for meters that ask what a step costs
 */
export const TmpfsStep = defineSteps('@rpal/tmpfs', {
  pathWalk: {
    cause: 'process',
    instructions: [350, 550, 900],
    events: { lockedOp: 2 },
    source: 'getname, path_init, set-up and end of a path walk',
    status: 'estimated',
  },
  pathComponent: {
    cause: 'process',
    instructions: [90, 140, 220],
    source: 'link_path_walk, per component: hash_name, __d_lookup_rcu, inode_permission',
    status: 'estimated',
  },
  followLink: { cause: 'process', instructions: [120, 200, 320], source: 'pick_link, shmem_get_link', status: 'estimated' },
  openBody: {
    cause: 'process',
    instructions: [700, 1100, 1700],
    events: { lockedOp: 8 },
    source: 'alloc_empty_file, do_dentry_open, security_file_open; fd_install is VfsStep.fdInstall',
    status: 'estimated',
  },
  makeInode: {
    cause: 'process',
    instructions: [1500, 2300, 3500],
    events: { lockedOp: 14 },
    source: 'shmem_get_inode, d_alloc, d_instantiate, simple_offset_add',
    status: 'estimated',
  },
  removeName: {
    cause: 'process',
    instructions: [900, 1400, 2200],
    events: { lockedOp: 12 },
    source: 'vfs_unlink, shmem_unlink, d_delete',
    status: 'estimated',
  },
  moveName: {
    cause: 'process',
    instructions: [1400, 2100, 3200],
    events: { lockedOp: 20 },
    source: 'vfs_rename, lock_rename, shmem_rename2, d_move',
    status: 'estimated',
  },
  changeInode: {
    cause: 'process',
    instructions: [350, 550, 900],
    events: { lockedOp: 4 },
    source: 'notify_change, shmem_setattr',
    status: 'estimated',
  },
  attributes: { cause: 'process', instructions: [220, 340, 520], source: 'vfs_getattr, shmem_getattr, cp_new_stat', status: 'estimated' },
  listEntry: { cause: 'process', instructions: [90, 140, 220], source: 'offset_dir_emit, filldir64, per name', status: 'estimated' },
  truncateBody: {
    cause: 'memory',
    instructions: [350, 550, 900],
    events: { lockedOp: 4 },
    source: 'do_truncate, shmem_setattr, shmem_fallocate without pages',
    status: 'estimated',
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
    instructions: [40, 70, 120],
    source: 'read_null, write_null, read_iter_zero around the copies',
    status: 'estimated',
  },
  randomByte: {
    cause: 'copy',
    instructions: [0, 0, 0],
    perByte: 'copy',
    source: 'get_random_bytes_user, chacha20 per byte, priced as a copy',
    status: 'estimated',
  },
  makeText: { cause: 'process', instructions: [2000, 4000, 8000], source: 'seq_file of a file in /proc', status: 'estimated' },
});
