/*
 * trace: a TCG plugin (QEMU plugin API version 1) that writes one record
 * per executed guest instruction between two marker instructions.
 *
 * A marker is the long no-op  0f 1f 80 <disp32>  with disp32 = 0x4d4b00KK:
 * KK = 1 record on (next operation), 2 off, 3 iteration starts, 6 iteration ends,
 * 7 record on, kernel instructions only.
 * Trace record (12 bytes): u32 instruction number, u32 repetitions (string
 * instructions are merged into one record), u16 loads, u16 stores.
 * Special records: 0xfffffff1/2/3/6/7 markers, 0xfffffff4 kernel stack switch
 * (the address __switch_to_asm loads the new stack pointer from follows).
 * Table file: number, address, size, bytes, disassembly.
 * With more than one CPU each CPU writes its own file and every record run is
 * stamped with a global order number (0xfffffff5) so the files can be merged.
 *
 * Build: gcc -O2 -shared -fPIC -o trace.so trace.c
 * Use:   -plugin ./trace.so,out=PREFIX
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>

/* the part of the plugin interface used here, declared by hand */
typedef uint64_t plug_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*trans_cb)(plug_id, struct qemu_plugin_tb *);
typedef void (*exec_cb)(unsigned, void *);
typedef void (*mem_cb)(unsigned, uint32_t, uint64_t, void *);
typedef void (*exit_cb)(plug_id, void *);
void qemu_plugin_register_vcpu_tb_trans_cb(plug_id, trans_cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, exec_cb, int, void *);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, mem_cb, int, int, void *);
void qemu_plugin_register_atexit_cb(plug_id, exit_cb, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
char *qemu_plugin_insn_disas(const struct qemu_plugin_insn *);
bool qemu_plugin_mem_is_store(uint32_t);
#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

struct insn {
	struct insn *next;
	uint64_t va;
	uint32_t id;
	uint8_t size, rep, mark, sw;
	uint8_t b[16];
};
struct rec { uint32_t id, n; uint16_t ld, st; };
#define MAXCPU 8
static struct cpu {
	FILE *f;
	struct rec cur;
	int have, on;
	uint64_t order;
	char pad[64];
} cpus[MAXCPU];
#define HB 16
static struct insn *hash[1 << HB];
static uint32_t nins;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static FILE *tab;
static char prefix[512] = "pt";
static volatile int rec_on;
static atomic_ulong clk;
static int smp;

static inline void put(struct cpu *c, struct rec *r) { fwrite(r, sizeof *r, 1, c->f); }
static inline void flush_cur(struct cpu *c)
{
	if (c->have) {
		put(c, &c->cur);
		c->have = 0;
	}
}
static void special(struct cpu *c, uint32_t k, uint64_t v)
{
	flush_cur(c);
	struct rec r = {k, (uint32_t)v, (uint16_t)(v >> 32), (uint16_t)(v >> 48)};
	put(c, &r);
}
static void on_exec(unsigned v, void *u)
{
	struct insn *i = u;
	struct cpu *c = &cpus[v];
	if (i->mark) {
		if (i->mark == 1 || i->mark == 7) {
			special(c, 0xfffffff0u + i->mark, 0);
			rec_on = i->mark;
		} else if (rec_on) {
			special(c, 0xfffffff0u + i->mark, 0);
			if (i->mark == 2)
				rec_on = 0;
		}
		return;
	}
	if (!rec_on || (rec_on == 7 && !(i->va >> 63))) {
		if (c->have)
			flush_cur(c);
		return;
	}
	if (c->have) {
		if (i->rep && c->cur.id == i->id) {
			c->cur.n++;
			return;
		}
		put(c, &c->cur);
	}
	if (smp) {
		uint64_t o = atomic_fetch_add(&clk, 1);
		if (o != c->order + 1) {
			struct rec r = {0xfffffff5u, (uint32_t)o, (uint16_t)(o >> 32), (uint16_t)(o >> 48)};
			put(c, &r);
		}
		c->order = o;
	}
	c->cur = (struct rec){i->id, 1, 0, 0};
	c->have = 1;
}
static void on_mem(unsigned v, uint32_t info, uint64_t va, void *u)
{
	struct insn *i = u;
	struct cpu *c = &cpus[v];
	if (!rec_on || !c->have)
		return;
	if (qemu_plugin_mem_is_store(info)) {
		if (c->cur.st < 65535)
			c->cur.st++;
	} else {
		if (c->cur.ld < 65535)
			c->cur.ld++;
		if (i->sw)
			special(c, 0xfffffff4u, va);
	}
}
static void on_trans(plug_id id, struct qemu_plugin_tb *tb)
{
	(void)id;
	size_t n = qemu_plugin_tb_n_insns(tb);
	for (size_t k = 0; k < n; k++) {
		struct qemu_plugin_insn *q = qemu_plugin_tb_get_insn(tb, k);
		uint64_t va = qemu_plugin_insn_vaddr(q);
		size_t sz = qemu_plugin_insn_size(q);
		const uint8_t *b = qemu_plugin_insn_data(q);
		if (sz > 16)
			sz = 16;
		unsigned h = (unsigned)((va * 0x9e3779b97f4a7c15ull) >> (64 - HB));
		struct insn *i;
		pthread_mutex_lock(&mu);
		for (i = hash[h]; i; i = i->next)
			if (i->va == va && i->size == sz && !memcmp(i->b, b, sz))
				break;
		if (!i) {
			i = calloc(1, sizeof *i);
			i->va = va;
			i->size = (uint8_t)sz;
			memcpy(i->b, b, sz);
			i->id = nins++;
			i->next = hash[h];
			hash[h] = i;
			if (sz == 7 && b[0] == 0x0f && b[1] == 0x1f && b[2] == 0x80 && b[4] == 0 && b[5] == 0x4b && b[6] == 0x4d)
				i->mark = b[3];
			for (size_t j = 0; j + 1 < sz && (b[j] == 0xf3 || b[j] == 0xf2 || (b[j] & 0xf0) == 0x40 || b[j] == 0x66 || b[j] == 0x65); j++)
				if (b[j] == 0xf3 || b[j] == 0xf2) {
					size_t e = j + 1;
					if ((b[e] & 0xf0) == 0x40)
						e++;
					if (e < sz && ((b[e] >= 0xa4 && b[e] <= 0xa7) || (b[e] >= 0xaa && b[e] <= 0xaf)))
						i->rep = 1;
				}
			i->sw = sz == 7 && b[0] == 0x48 && b[1] == 0x8b && b[2] == 0xa6 && va >> 63;
			char *d = qemu_plugin_insn_disas(q);
			fprintf(tab, "%u\t%llx\t%zu\t", i->id, (unsigned long long)va, sz);
			for (size_t j = 0; j < sz; j++)
				fprintf(tab, "%02x", b[j]);
			fprintf(tab, "\t%s\n", d ? d : "?");
			free(d);
		}
		pthread_mutex_unlock(&mu);
		qemu_plugin_register_vcpu_insn_exec_cb(q, on_exec, 0, i);
		qemu_plugin_register_vcpu_mem_cb(q, on_mem, 0, 3, i);
	}
}
static void on_exit_(plug_id id, void *u)
{
	(void)id;
	(void)u;
	for (int i = 0; i < MAXCPU; i++)
		if (cpus[i].f) {
			flush_cur(&cpus[i]);
			fclose(cpus[i].f);
		}
	fclose(tab);
}
EXPORT int qemu_plugin_install(plug_id id, const void *info, int argc, char **argv)
{
	(void)info;
	int n = 1;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			snprintf(prefix, sizeof prefix, "%s", argv[i] + 4);
		if (!strncmp(argv[i], "smp=", 4))
			n = atoi(argv[i] + 4);
	}
	smp = n > 1;
	char nm[600];
	snprintf(nm, sizeof nm, "%s.tab", prefix);
	tab = fopen(nm, "w");
	for (int i = 0; i < n && i < MAXCPU; i++) {
		snprintf(nm, sizeof nm, "%s.%d.trace", prefix, i);
		cpus[i].f = fopen(nm, "w");
		setvbuf(cpus[i].f, 0, _IOFBF, 1 << 20);
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_trans);
	qemu_plugin_register_atexit_cb(id, on_exit_, 0);
	return 0;
}
