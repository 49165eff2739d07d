package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
)

func TestMain(m *testing.M) {
	if err := enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lab.Main(m)
}

// A short run finds nothing, and everything in it happened.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes network namespaces, and -short is set")
	}
	var stderr, out bytes.Buffer
	f, err := soak(t.Context(), &stderr, options{length: 10 * time.Second, seed: 1, log: filepath.Join(t.TempDir(), "log")})
	if f != nil {
		if err := f.write(&out); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", out.String())
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Faults) > 0 {
		log, _ := os.ReadFile(f.Log)
		t.Errorf("it has found faults; the log:\n%s", log[max(0, len(log)-20_000):])
	}
	if p := f.Packets; p.Right < 1000 || p.Right > p.Sent || len(f.Rounds) < 3 || len(f.Actors) < 3 || f.Goroutines[1] == 0 {
		t.Errorf("too little happened: %s", out.String())
	}
}

// A packet that leaves by another wire is seen, and it is exposed only while its source is
// excused.
func TestAstray(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes network namespaces, and -short is set")
	}
	dir, err := makeDir()
	if err != nil {
		t.Fatal(err)
	}
	defer removeDir(dir)
	log, err := newRecord(filepath.Join(dir, "log"), os.Stderr, false)
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	w, err := newWorld(dir, "/bin/false", options{seed: 1}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	// Without a daemon all packets leave by the default route of table main.
	s := w.sources[0]
	count := func() counts {
		before := s.sent.Load()
		for end := time.Now().Add(patience); s.sent.Load() < before+100 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		return w.traffic.counts()
	}
	w.traffic.begin("excused", w.sources...)
	w.traffic.start()
	if c := count(); c.Astray != 0 || c.Exposed == 0 || c.Right == 0 { // those to the LAN are right
		t.Errorf("while all sources are excused: %+v", c)
	}
	w.traffic.end("not excused", w.sources...)
	if c := count(); c.Astray == 0 {
		t.Errorf("without an excuse: %+v", c)
	}
}
