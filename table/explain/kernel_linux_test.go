package explain_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/internal/randomhost"
)

var (
	worlds      = flag.Int("worlds", 0, "compare `n` random hosts with the kernel")
	firstWorld  = flag.Uint64("first", 0, "the `seed` of the first random host")
	differences = flag.String("differences", "", "write a file for each kind of difference to this `directory`")
)

// perWorld is how many packets of each family and direction a host gets.
const perWorld = 100

// enough is how long the test takes hosts unless it is told how many: a machine may be slow.
const enough = 8 * time.Second

// A tally is the result of many comparisons.
type tally struct {
	mu      sync.Mutex
	worlds  int
	packets int
	refused int // by the kernel
	unasked int // packets that name an interface that is not there
	flukes  int // differences that were gone when looked at again
	kinds   map[string]int
	known   map[string]int    // differences that are explained, by reason
	first   map[string]string // the report of the first difference of a kind
	ask     time.Duration
	decide  time.Duration
}

// What the model says of random packets on random hosts is what the kernel does: the error or
// the verdict, the tables that are asked, in order, the route, the next hop or one of those
// with a share, and the source.
func TestKernelAgreement(t *testing.T) {
	if testing.Short() {
		t.Skip("needs namespaces")
	}
	n := testrun.Times(10000, 40)
	if *worlds > 0 {
		n = *worlds
	}
	r := tally{kinds: map[string]int{}, known: map[string]int{}, first: map[string]string{}}
	seeds := make(chan uint64)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() { compareWorlds(t, &r, seeds) })
	}
	start := time.Now()
	for i := range uint64(n) {
		if *worlds == 0 && !testrun.Full() && time.Since(start) > enough {
			break
		}
		seeds <- *firstWorld + i
	}
	close(seeds)
	wg.Wait()
	t.Logf("%d worlds, %d packets (%d refused, %d name an interface that is not there, %d flukes) in %v; the kernel takes %v a packet and the model %v, with its explanation",
		r.worlds, r.packets, r.refused, r.unasked, r.flukes, time.Since(start).Round(time.Millisecond), r.ask/time.Duration(max(r.packets, 1)), r.decide/time.Duration(max(r.packets, 1)))
	for _, why := range slices.Sorted(maps.Keys(r.known)) {
		t.Logf("explained: %d times %s", r.known[why], why)
	}
	for _, kind := range slices.Sorted(maps.Keys(r.kinds)) {
		t.Errorf("%d times %s; the first:\n%s", r.kinds[kind], kind, r.first[kind])
		if *differences != "" {
			name := filepath.Join(*differences, strings.ReplaceAll(kind, " ", "-")+".txt")
			if err := os.WriteFile(name, []byte(r.first[kind]), 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}

// compareWorlds compares random hosts, all on one thread.
func compareWorlds(t *testing.T, r *tally, seeds <-chan uint64) {
	err := onThread(func() error {
		o, err := newOracle()
		if err != nil {
			return err
		}
		for seed := range seeds {
			if err := compareWorld(t.Context(), o, r, seed); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
		return o.close()
	})
	if err != nil {
		t.Error(err)
	}
	for range seeds { // whatever is left, after an error
	}
}

func compareWorld(ctx context.Context, o *oracle, r *tally, seed uint64) error {
	s := sample{ctx: ctx, oracle: o, seed: seed, commands: randomhost.Generate(seed)}
	if err := s.enter(); err != nil {
		return err
	}
	return errors.Join(s.run(r), s.close())
}

// A sample is a random host that is compared.
type sample struct {
	ctx      context.Context
	oracle   *oracle
	seed     uint64
	commands []string
	host     *randomhost.Host
	world    explain.World
	text     string
	fib      *explain.FIB
}

// enter makes the host, and reads its World, once from the kernel and once from text.
func (s *sample) enter() (err error) {
	if s.host, _, err = randomhost.Enter(s.ctx, s.commands); err != nil {
		return err
	}
	if s.world, err = explain.Take(s.ctx, s.host.Conn); err != nil {
		return err
	}
	s.text = s.world.String()
	parsed, err := explain.Parse(s.text)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, s.text)
	}
	if got := parsed.String(); got != s.text {
		return fmt.Errorf("the text\n%s\nis read as\n%s", s.text, got)
	}
	s.fib = explain.NewFIB(parsed)
	return nil
}

func (s *sample) close() error { return s.host.Close() }

// run compares packets of both families and directions.
func (s *sample) run(r *tally) error {
	random := randomhost.NewPackets(&s.world, s.seed)
	labels := hasFlowLabels()
	var packets []explain.Packet
	var queries []route.Query
	unasked := 0
	for _, six := range []bool{false, true} {
		for _, input := range []bool{false, true} {
			for range perWorld {
				p := random.Packet(six, input)
				if !labels {
					p.FlowLabel = 0
				}
				q, ok := query(&s.world, &p)
				if !ok {
					if d := s.fib.Decide(&p); d.Error != explain.ENODEV {
						return fmt.Errorf("%s names an interface that is not there: %+v", p, d)
					}
					unasked++
					continue
				}
				packets, queries = append(packets, p), append(queries, q)
			}
		}
	}
	start := time.Now()
	answers, err := s.oracle.ask(s.ctx, s.host, queries)
	if err != nil {
		return err
	}
	asked := time.Now()
	refused := 0
	found := map[string]explain.Packet{}
	counts, known := map[string]int{}, map[string]int{}
	for i := range packets {
		e := s.fib.ExplainGet(packets[i])
		if answers[i].err != nil {
			refused++
		}
		if x := compare(s.fib, &e, &answers[i]); x != nil {
			if why := explained(s.fib, &e, &answers[i], x); why != "" {
				known[why]++
				continue
			}
			kind := kindOf(&packets[i], x)
			counts[kind]++
			found[kind] = packets[i]
		}
	}
	decided := time.Now()
	r.mu.Lock()
	r.worlds++
	r.packets += len(packets)
	for why, n := range known {
		r.known[why] += n
	}
	r.refused += refused
	r.unasked += unasked
	r.ask += asked.Sub(start)
	r.decide += decided.Sub(asked)
	r.mu.Unlock()
	for kind, p := range found {
		if err := s.report(r, kind, p, counts[kind]); err != nil {
			return err
		}
	}
	return nil
}

// kindOf names a difference.
func kindOf(p *explain.Packet, x *difference) string {
	way := "output"
	if p.IIF != "" {
		way = "input"
	}
	family := "IPv4"
	if p.To.Is6() {
		family = "IPv6"
	}
	return family + " " + way + " " + x.kind
}

// look asks again about one packet, on a host that may have changed since.
func (s *sample) look(p explain.Packet) (kind, text string, err error) {
	q, ok := query(&s.world, &p)
	if !ok {
		return "", "", nil
	}
	answers, err := s.oracle.ask(s.ctx, s.host, []route.Query{q})
	if err != nil {
		return "", "", err
	}
	e := s.fib.ExplainGet(p)
	x := compare(s.fib, &e, &answers[0])
	if x == nil || explained(s.fib, &e, &answers[0], x) != "" {
		return "", "", nil
	}
	kind = kindOf(&p, x)
	return kind, fmt.Sprintf("%s: %s\npacket: %s\nmodel: %+v, tables %v\nkernel: %s %v\nwith fibmatch: %s %v\ntables %v, of the way back %v\nexplanation:\n%s\n",
		kind, x.detail, p, e.Decision, e.Tables, answers[0].route, answers[0].err, answers[0].match, answers[0].matchErr,
		answers[0].tables, answers[0].reverse, e), nil
}

// report counts a difference, and makes the first of its kind small.
func (s *sample) report(r *tally, kind string, p explain.Packet, n int) error {
	again := sample{ctx: s.ctx, oracle: s.oracle, host: s.host}
	w, err := explain.Take(s.ctx, s.host.Conn)
	if err != nil {
		return err
	}
	again.world, again.fib = w, explain.NewFIB(w)
	now, text, err := again.look(p)
	if err != nil {
		return err
	}
	r.mu.Lock()
	if now != kind {
		r.flukes++
		r.mu.Unlock()
		return nil
	}
	r.kinds[kind] += n
	known := r.first[kind] != ""
	if !known {
		r.first[kind] = text
	}
	r.mu.Unlock()
	if known {
		return nil
	}
	small := s.shrink(kind, p)
	if small == "" { // it hangs on time or chance
		small = text + "\ncommands:\n" + strings.Join(s.commands, "\n")
	}
	r.mu.Lock()
	r.first[kind] = fmt.Sprintf("seed %d\n%s", s.seed, small)
	r.mu.Unlock()
	return nil
}

// shrinkTime is how long shrink takes at most.
const shrinkTime = 20 * time.Second

// shrink leaves out commands as long as the difference stays, and returns what is left.
func (s *sample) shrink(kind string, p explain.Packet) string {
	fixed := randomhost.Settings()
	commands := s.commands[fixed:]
	fixedCommands := s.commands[:fixed]
	report, end := "", time.Now().Add(shrinkTime)
	try := func(commands []string, p explain.Packet) bool {
		if time.Now().After(end) {
			return false
		}
		x := sample{ctx: s.ctx, oracle: s.oracle, commands: slices.Concat(fixedCommands, commands)}
		if x.enter() != nil {
			return false
		}
		defer x.close()
		now, text, err := x.look(p)
		if err != nil || now != kind {
			return false
		}
		report = text + "\ncommands:\n" + strings.Join(commands, "\n") + "\n\nworld:\n" + x.text
		return true
	}
	if !try(commands, p) {
		return ""
	}
	for size := len(commands) / 4; size >= 1; size /= 2 {
		for i := 0; i+size <= len(commands); {
			less := slices.Delete(slices.Clone(commands), i, i+size)
			if try(less, p) {
				commands = less
			} else {
				i += size
			}
		}
	}
	for _, simpler := range []func(q *explain.Packet){
		func(q *explain.Packet) { q.Mark = 0 }, func(q *explain.Packet) { q.TOS = 0 }, func(q *explain.Packet) { q.UID = 0 },
		func(q *explain.Packet) { q.IPProto, q.SPort, q.DPort = 0, 0, 0 }, func(q *explain.Packet) { q.OIF = "" },
		func(q *explain.Packet) { q.FlowLabel = 0 },
		func(q *explain.Packet) {
			if q.IIF == "" {
				q.From = unspecified
			}
		},
	} {
		q := p
		simpler(&q)
		if q != p && try(commands, q) {
			p = q
		}
	}
	try(commands, p)
	return report
}
