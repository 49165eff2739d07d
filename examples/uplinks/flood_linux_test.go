package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// However many clients connect, say nothing and do not read, a deleted rule is back, the
// descriptors are few, and who asks afterwards is answered.
func TestControlFlood(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	p := h.build()
	p.start()
	p.says("ready")
	const clients = 300
	for i := range clients {
		c, err := net.Dial("unix", h.key()+".sock")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%3 == 0 {
			c.Write([]byte("a question that nobody reads"))
		}
	}
	h.rule("del", loneRule)
	p.says("uplink lan2 IPv4 repaired: …")
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if most := 30 + controlClients; err != nil || len(open) > most {
		t.Errorf("it has %d descriptors open, want %d at most, %v", len(open), most, err)
	}
	for end := time.Now().Add(patience); !strings.Contains(p.do(exitOK, "status"), "monitored by process"); {
		if time.Now().After(end) {
			t.Fatal("nobody is answered any more")
		}
	}
	p.signal(syscall.SIGTERM)
	p.ends("exit status 0")
}

// Clients that do not read a long answer are given up, and hold up neither others nor the end.
func TestControlUnread(t *testing.T) {
	place := controlPlace{dir: filepath.Join(t.TempDir(), "control")}
	long := maintainer{File: strings.Repeat("x", 4<<20)}
	c, err := listenControl(place, newAnswers(func() maintainer { return long }, func() uint64 { return 0 }))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(place.dir, c.key+".sock")
	for range controlClients - 1 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if m, err := askMaintainer(place); err != nil || m.File != long.File || m.PID != os.Getpid() {
		t.Errorf("another client hears %v", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c.close()
	if m, err := askMaintainer(place); m != nil || err != nil {
		t.Errorf("after the end: %v, %v", m, err)
	}
}

// Answers are made so many times a second, however often they are asked for, and after each
// reload.
func TestAnswers(t *testing.T) {
	made, reloads := 0, uint64(0)
	a := newAnswers(func() maintainer { made++; return maintainer{Repairs: uint64(made)} }, func() uint64 { return reloads })
	now := time.Now()
	get := func() uint64 {
		var m maintainer
		if err := json.Unmarshal(a.get(now), &m); err != nil {
			t.Fatal(err)
		}
		return m.Repairs
	}
	for range 1000 {
		get()
	}
	if made != answerRate {
		t.Errorf("%d answers were made, want %d", made, answerRate)
	}
	reloads++
	for range 2 { // the second asks for no new one
		if get() != answerRate+1 {
			t.Errorf("after a reload %d answers were made, want one more", made)
		}
	}
	now = now.Add(time.Second)
	if get() != answerRate+2 {
		t.Error("a second later the answer is an old one")
	}
}

// Two that begin at once: one gets the place.
func TestControlTogether(t *testing.T) {
	place := controlPlace{dir: filepath.Join(t.TempDir(), "control")}
	a := newAnswers(func() maintainer { return maintainer{} }, func() uint64 { return 0 })
	for range 20 {
		results := make(chan *controlServer)
		for range 4 {
			go func() {
				c, err := listenControl(place, a)
				if err != nil && !errors.As(err, new(*heldError)) {
					t.Error(err)
				}
				results <- c
			}()
		}
		var all []*controlServer
		for range 4 {
			if c := <-results; c != nil {
				all = append(all, c)
			}
		}
		if len(all) != 1 {
			t.Fatalf("%d have the place", len(all))
		}
		all[0].close()
	}
}

// A lock whose file is removed at the end of each holder has one holder at a time all the
// same.
func TestLockFile(t *testing.T) {
	dir, err := makePrivateDir(filepath.Join(t.TempDir(), "control"))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	var holders, taken atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for taken.Load() < 2000 && !t.Failed() {
				lock, err := dir.takeLock("lock")
				if err != nil {
					t.Error(err)
				}
				if lock == nil {
					continue
				}
				taken.Add(1)
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d have the lock", n)
				}
				runtime.Gosched()
				holders.Add(-1)
				dir.remove("lock")
				lock.Close()
			}
		})
	}
	wg.Wait()
}
