// analyze: turns a trace recording into call trees, one per operation.
// For every operation the iterations whose instruction total equals the median
// are summed into one tree of call paths (reconstructed from calls, returns,
// tail jumps, exceptions and kernel stack switches).
// Build: g++ -O2 -o analyze analyze.cc
// Use:   analyze SYMS TAB TRACE[,TRACE of CPU 1] OPS > tree.tsv   (OPS: the "OP" lines)
//        with NOTICK=1 in the environment iterations with a timer interrupt are left out (and not counted as iterations);
//        with SEQ=1 in the environment also: S op cpu order own depth function, for
//        every function entry of one median iteration, in time order
//   rows: OP num median min max iterations selected name
//         N  path insns loads stores repbytes calls event=count...
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>
using namespace std;
#pragma pack(1)
struct Rec { uint32_t id, n; uint16_t ld, st; };
#pragma pack()
struct Rc { uint32_t id, n; uint16_t ld, st; uint32_t cpu; uint64_t t; };
static vector<string> evn;
static map<string, int> evi;
static int ev(const string &s)
{
	auto it = evi.find(s);
	if (it != evi.end())
		return it->second;
	evn.push_back(s);
	return evi[s] = (int)evn.size() - 1;
}
struct Ins {
	uint64_t va = 0;
	int sz = 0, fn = 0, cls = 0; // cls 1 call 2 ret 3 iret
	int rep = 0;                 // element size
	bool first = false, exc = false;
	vector<int> ev;
};
struct Node {
	int fn, parent, depth;
	uint64_t ins = 0, ld = 0, st = 0, repb = 0, calls = 0;
	unordered_map<int, uint64_t> ev;
	map<int, int> kid;
};
struct Frame { uint64_t ret; int base, node; bool irq; };
static vector<string> fname;
static vector<Ins> tab;
static vector<Node> T;
static int child(int p, int f)
{
	auto it = T[p].kid.find(f);
	if (it != T[p].kid.end())
		return it->second;
	Node n;
	n.fn = f;
	n.parent = p;
	n.depth = T[p].depth + 1;
	T.push_back(n);
	int k = (int)T.size() - 1;
	T[p].kid[f] = k;
	return k;
}
int main(int ac, char **av)
{
	(void)ac;
	vector<pair<uint64_t, string>> syms;
	{
		ifstream f(av[1]);
		string l;
		while (getline(f, l)) {
			char n[400];
			unsigned long a;
			if (sscanf(l.c_str(), "%lx %399s", &a, n) == 2 && (a >> 63) && strncmp(n, "__pfx_", 6) && strncmp(n, "__cfi_", 6))
				syms.push_back({a, n});
		}
		stable_sort(syms.begin(), syms.end(), [](auto &x, auto &y) { return x.first < y.first; });
	}
	fname.push_back("user");
	map<uint64_t, int> fid;
	auto lookup = [&](uint64_t va, bool &first) {
		first = false;
		if (!(va >> 63))
			return 0;
		size_t lo = upper_bound(syms.begin(), syms.end(), va, [](uint64_t v, auto &s) { return v < s.first; }) - syms.begin();
		if (!lo)
			return 0;
		lo--;
		while (lo && syms[lo - 1].first == syms[lo].first)
			lo--;
		first = syms[lo].first == va;
		auto it = fid.find(syms[lo].first);
		if (it != fid.end())
			return it->second;
		size_t best = lo; // among aliases prefer the name without leading underscores or odd prefixes
		for (size_t j = lo; j < syms.size() && syms[j].first == syms[lo].first; j++)
			if (syms[j].second[0] != '_' && syms[best].second[0] == '_')
				best = j;
		fname.push_back(syms[best].second);
		return fid[syms[lo].first] = (int)fname.size() - 1;
	};
	{
		ifstream f(av[2]);
		string l;
		while (getline(f, l)) {
			size_t p1 = l.find('\t'), p2 = l.find('\t', p1 + 1), p3 = l.find('\t', p2 + 1), p4 = l.find('\t', p3 + 1);
			if (p4 == string::npos)
				continue;
			size_t id = strtoul(l.c_str(), 0, 10);
			if (tab.size() <= id)
				tab.resize(id + 1);
			Ins &i = tab[id];
			i.va = strtoull(l.c_str() + p1 + 1, 0, 16);
			i.sz = atoi(l.c_str() + p2 + 1);
			string hex = l.substr(p3 + 1, p4 - p3 - 1), d = l.substr(p4 + 1);
			i.fn = lookup(i.va, i.first);
			const string &fn = fname[i.fn];
			i.exc = i.first && (!fn.compare(0, 8, "asm_exc_") || !fn.compare(0, 11, "asm_sysvec_") || !fn.compare(0, 20, "asm_common_interrupt") || !fn.compare(0, 18, "irq_entries_start"));
			if (!i.exc && !fn.compare(0, 17, "irq_entries_start"))
				i.exc = true;
			string m = d.substr(0, d.find(' ')), rest = d.find(' ') == string::npos ? "" : d.substr(d.find(' ') + 1);
			auto has = [&](const char *s) { return d.find(s) != string::npos; };
			auto hx = [&](const char *s) { return !hex.compare(0, strlen(s), s); };
			if (m == "lock" || (!m.compare(0, 4, "xchg") && has("(")))
				i.ev.push_back(ev("locked"));
			if (m == "rep" || m == "repz" || m == "repnz" || m == "repe" || m == "repne") {
				char c = rest[rest.find(' ') == string::npos ? rest.size() - 1 : rest.find(' ') - 1];
				if (!rest.compare(0, 4, "movs") || !rest.compare(0, 4, "stos") || !rest.compare(0, 4, "cmps") || !rest.compare(0, 4, "scas")) {
					i.rep = c == 'q' ? 8 : c == 'l' ? 4 : c == 'w' ? 2 : 1;
					i.ev.push_back(ev(!rest.compare(0, 4, "stos") ? "rep_stos" : "rep_movs"));
				}
			}
			if (!m.compare(0, 4, "call")) {
				i.cls = 1;
				i.ev.push_back(ev("call"));
				if (d.find('*') != string::npos)
					i.ev.push_back(ev("indirect"));
			} else if (!m.compare(0, 4, "iret"))
				i.cls = 3, i.ev.push_back(ev("iret"));
			else if (!m.compare(0, 6, "sysret"))
				i.ev.push_back(ev("sysret"));
			else if (!m.compare(0, 3, "ret") || ((m == "rep" || m == "repz") && !rest.compare(0, 3, "ret")))
				i.cls = 2, i.ev.push_back(ev("ret"));
			else if (m[0] == 'j') {
				i.ev.push_back(ev(!m.compare(0, 3, "jmp") ? (d.find('*') != string::npos ? "indirect" : "jump") : "cond_branch"));
			}
			if (hx("0f22d8") || hx("0f22df") || (hx("0f22") && has("%cr3") && d.rfind("%cr3") > d.find(',')))
				i.ev.push_back(ev("cr3_write"));
			else if (hx("0f20") && has("%cr3"))
				i.ev.push_back(ev("cr3_read"));
			else if (has("%cr2"))
				i.ev.push_back(ev("cr2_access"));
			static const char *plain[] = {"wrmsr", "rdmsr", "invlpg", "invpcid", "swapgs", "syscall", "stac", "clac", "lfence", "mfence", "sfence", "cpuid", "wrpkru", "rdpkru", "verw", "cli", "sti", "hlt", "pause", "rdfsbase", "wrfsbase", "rdgsbase", "wrgsbase", "rdtscp", "rdtsc", "rdrand", "mwait", 0};
			for (int k = 0; plain[k]; k++)
				if (!m.compare(0, strlen(plain[k]), plain[k])) {
					i.ev.push_back(ev(plain[k]));
					break;
				}
			if (hex == "0f01ca") i.ev.push_back(ev("clac"));
			if (hex == "0f01cb") i.ev.push_back(ev("stac"));
			if (hex == "0f01ef") i.ev.push_back(ev("wrpkru"));
			if (hex == "0f01ee") i.ev.push_back(ev("rdpkru"));
			if (hx("660f3882")) i.ev.push_back(ev("invpcid"));
			if (!m.compare(0, 5, "xsave") || !m.compare(0, 6, "fxsave")) i.ev.push_back(ev("xsave"));
			if (!m.compare(0, 6, "xrstor") || !m.compare(0, 7, "fxrstor")) i.ev.push_back(ev("xrstor"));
			if (!m.compare(0, 5, "pushf") || !m.compare(0, 4, "popf")) i.ev.push_back(ev("pushf_popf"));
			if (!m.compare(0, 3, "div") || !m.compare(0, 4, "idiv")) i.ev.push_back(ev("divide"));
			sort(i.ev.begin(), i.ev.end());
			i.ev.erase(unique(i.ev.begin(), i.ev.end()), i.ev.end());
		}
	}
	vector<Rc> R;
	size_t ncpu = 0;
	{
		stringstream ss(av[3]);
		string one;
		while (getline(ss, one, ',')) {
			FILE *f = fopen(one.c_str(), "r");
			if (!f)
				return 1;
			static Rec b[1 << 16];
			size_t k, at = R.size();
			uint64_t t = 0;
			bool set = false;
			while ((k = fread(b, sizeof(Rec), 1 << 16, f)) > 0)
				for (size_t j = 0; j < k; j++) {
					if (b[j].id == 0xfffffff5u) {
						t = (uint64_t)b[j].n | (uint64_t)b[j].ld << 32 | (uint64_t)b[j].st << 48;
						set = true;
						continue;
					}
					if (b[j].id < 0xf0000000u) {
						if (!set)
							t++;
						set = false;
					}
					R.push_back({b[j].id, b[j].n, b[j].ld, b[j].st, (uint32_t)ncpu, t});
				}
			fclose(f);
			ncpu++;
			if (at)
				inplace_merge(R.begin(), R.begin() + at, R.end(), [](const Rc &x, const Rc &y) { return x.t < y.t; });
		}
	}
	bool seq = getenv("SEQ") != 0;
	vector<string> ops;
	{
		ifstream f(av[4]);
		string l;
		while (getline(f, l)) {
			size_t p = l.find("OP\t");
			if (p == string::npos)
				continue;
			size_t q = l.find('\t', p + 3);
			q = l.find('\t', q + 1);
			ops.push_back(l.substr(q + 1));
		}
	}
	int tickfn = -1;
	for (size_t k = 0; k < fname.size(); k++)
		if (fname[k] == "asm_sysvec_apic_timer_interrupt")
			tickfn = (int)k;
	size_t pos = 0;
	for (size_t op = 0; pos < R.size(); op++) {
		while (pos < R.size() && R[pos].id != 0xfffffff1u && R[pos].id != 0xfffffff7u)
			pos++;
		if (pos >= R.size())
			break;
		bool konly = R[pos].id == 0xfffffff7u;
		size_t beg = pos + 1, end = beg;
		while (end < R.size() && R[end].id != 0xfffffff2u)
			end++;
		// pass 1: iterations
		struct It { size_t a, b; uint64_t tot; bool tick; };
		vector<It> its;
		bool in = false;
		for (size_t p = beg; p <= end && p < R.size(); p++) {
			uint32_t id = R[p].id;
			bool st = id == 0xfffffff3u, en = id == 0xfffffff6u || p == end;
			if (konly && id < 0xf0000000u)
				st = tab[id].first && tab[id].fn == tickfn;
			if ((st || en) && in) {
				its.back().b = p;
				in = false;
			}
			if (st) {
				its.push_back({p, p, 0, false});
				in = true;
				if (konly)
					its.back().tot++;
			} else if (in && id < 0xf0000000u) {
				its.back().tot++;
				if (tab[id].first && tab[id].fn == tickfn)
					its.back().tick = true;
			}
		}
		vector<uint64_t> tots;
		size_t skip = its.size() > 20 ? 5 : 0;
		// NOTICK=1: leave out iterations with a timer interrupt, unless all have one
		bool notick = getenv("NOTICK") && *getenv("NOTICK") && !konly;
		if (notick) {
			size_t n = 0;
			for (size_t k = skip; k < its.size(); k++)
				n += !its[k].tick;
			notick = n > 0;
		}
		for (size_t k = skip; k < its.size(); k++)
			if (!notick || !its[k].tick)
				tots.push_back(its[k].tot);
		if (tots.empty()) {
			pos = end;
			continue;
		}
		sort(tots.begin(), tots.end());
		uint64_t med = tots[(tots.size() - 1) / 2];
		double mean = 0;
		for (auto x : tots)
			mean += x;
		mean /= tots.size();
		// pass 2: walk with shadow stacks, count in selected iterations
		T.clear();
		Node top;
		top.fn = -1;
		top.parent = -1;
		top.depth = 0;
		T.push_back(top);
		unordered_map<uint64_t, pair<vector<Frame>, pair<int, int>>> saved;
		struct Cpu {
			uint64_t curkey = 0;
			vector<Frame> S;
			int base = 0, node = 0; // base: node of the caller; node: current
			int pend = 0;           // class of the previous instruction
			uint64_t prevnext = 0;
			int lastfn = 0, root = 0;
			uint64_t own = 0; // instructions of this CPU in the counted iteration
		} C[8];
		for (size_t k = 0; k < ncpu && k < 8; k++) {
			C[k].curkey = k;
			if (ncpu > 1) { // one tree per CPU, below a node named after it
				fname.push_back("cpu" + to_string(k));
				C[k].root = child(0, (int)fname.size() - 1);
			}
		}
		size_t it = 0, sel = 0;
		bool count = false;
		for (size_t p = beg; p < end; p++) {
			const Rc &r = R[p];
			Cpu &c = C[r.cpu];
			uint64_t &curkey = c.curkey, &prevnext = c.prevnext;
			vector<Frame> &S = c.S;
			int &base = c.base, &node = c.node, &pend = c.pend, root = c.root;
			while (it < its.size() && p >= its[it].b)
				it++, count = false;
			if (it < its.size() && p == its[it].a) {
				count = it >= skip && its[it].tot == med && !(notick && its[it].tick);
				sel += count;
			}
			if (r.id >= 0xf0000000u) {
				if (r.id == 0xfffffff4u) {
					uint64_t key = (uint64_t)r.n | (uint64_t)r.ld << 32 | (uint64_t)r.st << 48;
					saved[curkey] = {S, {base, node}};
					curkey = key;
					auto s = saved.find(key);
					if (s != saved.end()) {
						S = s->second.first;
						base = s->second.second.first;
						node = s->second.second.second;
					} else {
						S.clear();
						base = root;
						node = child(root, c.lastfn);
					}
				}
				continue;
			}
			const Ins &i = tab[r.id];
			bool entered = false;
			if (!(i.va >> 63)) {
				S.clear();
				base = root;
				node = child(root, 0);
			} else {
				if (konly && i.first && i.fn == tickfn) {
					S.clear();
					base = node = root;
				}
				if (pend == 2) { // return to i.va
					size_t k = S.size();
					size_t lim = k > 64 ? k - 64 : 0;
					size_t j = k;
					while (j > lim && S[j - 1].ret != i.va)
						j--;
					if (j > lim) {
						base = S[j - 1].base;
						node = S[j - 1].node;
						S.resize(j - 1);
					} else if (k) { // return used as a jump: drop one frame
						base = S[k - 1].base;
						node = S[k - 1].node;
						S.pop_back();
					}
				} else if (pend == 3) {
					size_t j = S.size();
					while (j && !S[j - 1].irq)
						j--;
					if (j) {
						base = S[j - 1].base;
						node = S[j - 1].node;
						S.resize(j - 1);
					}
				}
				if (i.exc && i.first && node > root && T[node].fn != i.fn && T[node].fn != 0) {
					S.push_back({prevnext, base, node, true});
					base = node;
					node = child(base, i.fn);
					entered = true;
				} else if (pend == 1) {
					S.push_back({prevnext, base, node, false});
					if (T[node].fn != i.fn) { // calls within a function (return-buffer filling) stay in it
						base = node;
						node = child(base, i.fn);
						entered = true;
					}
				} else if (node <= root || T[node].fn == 0) {
					base = root;
					node = child(root, i.fn);
					entered = true;
				} else if (T[node].fn != i.fn) { // tail jump, or back to a function of this frame
					int q = node;
					while (q > root && q != base && T[q].fn != i.fn)
						q = T[q].parent;
					if (q > root && q != base)
						node = q;
					else {
						node = child(node, i.fn);
						entered = true;
					}
				}
			}
			if (seq && count && entered && sel == 1)
				printf("S\t%zu\t%u\t%lu\t%lu\t%d\t%s\n", op, r.cpu, (unsigned long)(r.t - R[its[it].a].t), (unsigned long)c.own, T[node].depth, fname[i.fn].c_str());
			if (count && sel == 1)
				c.own++;
			c.lastfn = i.fn;
			pend = i.cls;
			prevnext = i.va + i.sz;
			if (count) {
				Node &n = T[node];
				n.ins++;
				if (entered)
					n.calls++;
				if (i.rep)
					n.repb += (uint64_t)max(r.ld, r.st) * i.rep;
				else {
					n.ld += r.ld;
					n.st += r.st;
				}
				for (int e : i.ev)
					n.ev[e]++;
			}
		}
		printf("OP\t%zu\t%lu\t%lu\t%lu\t%zu\t%zu\t%.1f\t%s\n", op, med, tots.front(), tots.back(), notick ? tots.size() : its.size(), sel, mean, op < ops.size() ? ops[op].c_str() : "?");
		for (size_t k = 1; k < T.size(); k++) {
			Node &n = T[k];
			if (!n.ins)
				continue;
			vector<string> path;
			for (int q = (int)k; q > 0; q = T[q].parent)
				path.push_back(fname[T[q].fn]);
			reverse(path.begin(), path.end());
			string s;
			for (auto &x : path)
				s += (s.empty() ? "" : ";") + x;
			printf("N\t%s\t%lu\t%lu\t%lu\t%lu\t%lu", s.c_str(), n.ins, n.ld, n.st, n.repb, n.calls);
			for (auto &e : n.ev)
				printf("\t%s=%lu", evn[e.first].c_str(), e.second);
			printf("\n");
		}
		pos = end;
	}
	return 0;
}
