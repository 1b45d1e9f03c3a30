/* Executes calls on files for the comparison with the model: one a line, in a tree of its own below /dev/shm. Needs root, for chroot and users. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/falloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define HOST 500
static char place[64];
static unsigned char data[1 << 17];

/* Inodes that stat has seen, in the order of their first appearance, with their times then. */
static struct seen { ino_t ino; struct timespec m, c; } seen[4096];
static int seen_count;

static int drop(const char *path, const struct stat *s, int type, struct FTW *f) { (void)s; (void)type; (void)f; return remove(path); }

static void leave(void) {
    if (seteuid(0) || setegid(0) || fchdir(HOST) || chroot(".")) exit(3);
    if (place[0]) nftw(place, drop, 16, FTW_DEPTH | FTW_PHYS);
    place[0] = 0;
}

static void reset(void) {
    leave();
    for (int fd = 3; fd < 64; fd++) close(fd);
    strcpy(place, "/dev/shm/rpal-XXXXXX");
    if (!mkdtemp(place) || chmod(place, 0755) || chroot(place) || chdir("/")) exit(3);
    umask(022);
    seen_count = 0;
}

static long result(long r) { return r < 0 ? -errno : r; }

static uint32_t hash(const unsigned char *p, long n) {
    uint32_t h = 2166136261u;
    for (long i = 0; i < n; i++) h = (h ^ p[i]) * 16777619u;
    return h;
}

/* A path as the lines have it: % stands for an empty one. */
static char *path(char *word) {
    static char rooms[4][8192];
    static int next;
    char *p = rooms[next++ & 3];
    if (!strcmp(word, "%")) { *p = 0; return p; }
    if (word[0] == '*') { /* *N: a name of N bytes */
        int n = atoi(word + 1);
        memset(p, 'n', n);
        p[n] = 0;
        return p;
    }
    if (word[0] == '+') { /* +N: N times "./" and an a */
        int n = atoi(word + 1), i;
        for (i = 0; i < n; i++) memcpy(p + 2 * i, "./", 2);
        strcpy(p + 2 * n, "a");
        return p;
    }
    strcpy(p, word);
    return p;
}

static void say_stat(const struct stat *s) {
    int i = 0, m = 1, c = 1;
    while (i < seen_count && seen[i].ino != s->st_ino) i++;
    if (i == seen_count) seen_count++;
    else {
        m = memcmp(&seen[i].m, &s->st_mtim, sizeof s->st_mtim) != 0;
        c = memcmp(&seen[i].c, &s->st_ctim, sizeof s->st_ctim) != 0;
    }
    seen[i].ino = s->st_ino;
    seen[i].m = s->st_mtim;
    seen[i].c = s->st_ctim;
    printf(" #%d 0%o %ld %d:%d %ld %ld %lx%s%s", i, s->st_mode, (long)s->st_nlink, s->st_uid, s->st_gid, (long)s->st_size, (long)s->st_blocks,
           (long)s->st_rdev, m ? " m" : "", c ? " c" : "");
}

static void list(int fd) {
    long n;
    printf("[");
    while ((n = syscall(SYS_getdents64, fd, data, 512)) > 0)
        for (long at = 0; at < n;) {
            struct dirent64 *d = (struct dirent64 *)(data + at);
            printf(" %s:%d", d->d_name, d->d_type);
            at += d->d_reclen;
        }
    printf(" ] %ld", result(n));
}

/* Files that are functions of the kernel, as inotify: releases differ in what may be done to their one inode. */
static int is_function(int fd) {
    struct stat s;
    return fstat(fd, &s) == 0 && (s.st_mode & S_IFMT) == 0;
}

int main(void) {
    char line[16384];
    int host = open("/", O_RDONLY | O_DIRECTORY);
    if (dup2(host, HOST) < 0) return 3;
    close(host);
    setgroups(0, NULL);
    while (fgets(line, sizeof line, stdin)) {
        char *w[8] = {0}, *call = strtok(line, " \n");
        long a[8] = {0};
        int n = 0;
        if (!call) continue;
        for (char *t; n < 8 && (t = strtok(NULL, " \n"));) { w[n] = t; a[n] = strtol(t, NULL, 0); n++; }
#define IS(name) (!strcmp(call, name))
        if (IS("reset")) { reset(); continue; }
        if (IS("user")) { if (seteuid(0) || setegid(a[1]) || seteuid(a[0])) exit(3); printf("0"); }
        else if ((IS("lock") || IS("flock") || IS("fchmod")) && is_function(a[0])) printf("function");
        else if (IS("events") && !is_function(a[0])) printf("no events");
        else if (IS("open")) printf("%ld", result(syscall(SYS_openat, AT_FDCWD, path(w[0]), (int)a[1], (int)a[2])));
        else if (IS("openat")) printf("%ld", result(syscall(SYS_openat, (int)a[0], path(w[1]), (int)a[2], (int)a[3])));
        else if (IS("close")) printf("%ld", result(close(a[0])));
        else if (IS("write") || IS("pwrite")) {
            for (long i = 0; i < a[1]; i++) data[i] = a[2] + i;
            printf("%ld", IS("write") ? result(write(a[0], data, a[1])) : result(pwrite(a[0], data, a[1], a[3])));
        } else if (IS("read") || IS("pread")) {
            long r = IS("read") ? result(read(a[0], data, a[1])) : result(pread(a[0], data, a[1], a[2]));
            printf("%ld %x", r, r > 0 ? hash(data, r) : 0);
        } else if (IS("readv") || IS("preadv")) {
            struct iovec v[2] = {{data, a[1]}, {data + a[1], a[2]}};
            long r = IS("readv") ? result(readv(a[0], v, 2)) : result(preadv(a[0], v, 2, a[3]));
            printf("%ld %x", r, r > 0 ? hash(data, r) : 0);
        } else if (IS("writev") || IS("pwritev")) {
            struct iovec v[2] = {{data, a[1]}, {data + a[1], a[2]}};
            for (long i = 0; i < a[1] + a[2]; i++) data[i] = a[3] + i;
            printf("%ld", IS("writev") ? result(writev(a[0], v, 2)) : result(pwritev(a[0], v, 2, a[4])));
        } else if (IS("lseek")) printf("%ld", result(syscall(SYS_lseek, (int)a[0], a[1], (int)a[2])));
        else if (IS("ftruncate")) printf("%ld", result(syscall(SYS_ftruncate, (int)a[0], a[1])));
        else if (IS("truncate")) printf("%ld", result(syscall(SYS_truncate, path(w[0]), a[1])));
        else if (IS("fallocate")) printf("%ld", result(syscall(SYS_fallocate, (int)a[0], (int)a[1], a[2], a[3])));
        else if (IS("mkdir")) printf("%ld", result(syscall(SYS_mkdirat, (int)a[0], path(w[1]), (int)a[2])));
        else if (IS("mknod")) printf("%ld", result(syscall(SYS_mknodat, (int)a[0], path(w[1]), (int)a[2], (int)a[3])));
        else if (IS("unlink")) printf("%ld", result(syscall(SYS_unlinkat, (int)a[0], path(w[1]), (int)a[2])));
        else if (IS("link")) printf("%ld", result(syscall(SYS_linkat, (int)a[0], path(w[1]), (int)a[2], path(w[3]), (int)a[4])));
        else if (IS("symlink")) printf("%ld", result(syscall(SYS_symlinkat, path(w[0]), (int)a[1], path(w[2]))));
        else if (IS("rename")) printf("%ld", result(syscall(SYS_renameat2, (int)a[0], path(w[1]), (int)a[2], path(w[3]), (int)a[4])));
        else if (IS("readlink")) {
            long r = result(syscall(SYS_readlinkat, (int)a[0], path(w[1]), data, (int)a[2]));
            printf("%ld %.*s", r, r > 0 ? (int)r : 0, data);
        } else if (IS("stat")) {
            struct stat s;
            long r = result(syscall(SYS_newfstatat, (int)a[0], path(w[1]), &s, (int)a[2]));
            printf("%ld", r);
            if (r == 0) say_stat(&s);
        } else if (IS("fstat")) {
            struct stat s;
            long r = result(syscall(SYS_fstat, (int)a[0], &s));
            printf("%ld", r);
            if (r == 0 && a[0] > 2) say_stat(&s);
        } else if (IS("access")) printf("%ld", result(syscall(SYS_faccessat2, (int)a[0], path(w[1]), (int)a[2], (int)a[3])));
        else if (IS("chmod")) printf("%ld", result(syscall(SYS_fchmodat, AT_FDCWD, path(w[0]), (int)a[1])));
        else if (IS("fchmod")) printf("%ld", result(fchmod(a[0], a[1])));
        else if (IS("chown")) printf("%ld", result(syscall(SYS_fchownat, AT_FDCWD, path(w[0]), (int)a[1], (int)a[2], (int)a[3])));
        else if (IS("utimens")) {
            struct timespec t[2] = {{a[1], a[2]}, {a[3], a[4]}};
            printf("%ld", result(syscall(SYS_utimensat, AT_FDCWD, path(w[0]), a[1] < 0 ? NULL : t, 0)));
        } else if (IS("chdir")) printf("%ld", result(chdir(path(w[0]))));
        else if (IS("fchdir")) printf("%ld", result(fchdir(a[0])));
        else if (IS("getcwd")) {
            long r = result(syscall(SYS_getcwd, data, a[0]));
            printf("%ld %s", r, r > 0 ? (char *)data : "");
        } else if (IS("umask")) printf("%d", umask(a[0]));
        else if (IS("list")) list(a[0]);
        else if (IS("dup")) printf("%ld", result(dup(a[0])));
        else if (IS("dup2")) printf("%ld", result(dup2(a[0], a[1])));
        else if (IS("fcntl")) printf("%ld", result(fcntl(a[0], a[1], a[2])));
        else if (IS("lock")) {
            struct flock l = {.l_type = a[2], .l_whence = a[3], .l_start = a[4], .l_len = a[5]};
            long r = result(fcntl(a[0], a[1], &l));
            printf("%ld", r);
            if (r == 0 && (a[1] == F_GETLK || a[1] == F_OFD_GETLK)) printf(" %d %d %ld %ld", l.l_type, l.l_whence, (long)l.l_start, (long)l.l_len);
        } else if (IS("flock")) printf("%ld", result(flock(a[0], a[1])));
        else if (IS("inotify")) printf("%ld", result(inotify_init1(IN_NONBLOCK)));
        else if (IS("watch")) printf("%ld", result(inotify_add_watch(a[0], path(w[1]), (uint32_t)a[2])));
        else if (IS("unwatch")) printf("%ld", result(inotify_rm_watch(a[0], a[1])));
        else if (IS("events")) {
            long r = result(read(a[0], data, 100000));
            printf("%ld", r);
            for (long at = 0; r > 0 && at < r;) {
                struct inotify_event *e = (struct inotify_event *)(data + at);
                printf(" %d:%x:%d:%.*s", e->wd, e->mask, e->cookie ? 1 : 0, (int)e->len, e->name);
                at += sizeof *e + e->len;
            }
        } else if (IS("fsync")) printf("%ld", result(fsync(a[0])));
        else printf("?");
        printf("\n");
    }
    leave();
    return 0;
}
