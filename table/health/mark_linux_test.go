package health

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
)

// A probe whose mark may not be set cannot be made. It is not sent without it.
func TestMarkRefused(t *testing.T) {
	server := lab.Test(t).NS("server")
	server.Sysctl("net.ipv4.ping_group_range", "0 0")
	self := netip.MustParseAddr("127.0.0.1")
	p := Probe{
		TCP: []netip.AddrPort{netip.AddrPortFrom(self, 80)}, Echo: []netip.Addr{self}, Mark: 1,
	}.withDefaults()
	try := func(drop bool) (err error) {
		// The thread ends with the goroutine.
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread()
			err = server.Do(func() error {
				c, err := route.Dial(nil)
				if err != nil {
					return err
				}
				defer c.Close()
				if drop {
					head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
					var none, all [2]unix.CapUserData
					if err := unix.Capget(&head, &all[0]); err != nil {
						return err
					}
					// Only effective ones: the thread has to find back.
					none = all
					none[0].Effective, none[1].Effective = 0, 0
					if err := unix.Capset(&head, &none[0]); err != nil {
						return err
					}
					defer unix.Capset(&head, &all[0])
				}
				var errs error
				for _, a := range p.attempts(func() route.Conn { return c }, []netip.Addr{self}) {
					errs = errors.Join(errs, a.do(context.Background()))
				}
				return errs
			})
		}()
		<-done
		return err
	}
	err := try(true)
	for _, want := range []string{"tcp 127.0.0.1:80", "echo 127.0.0.1"} {
		found := false
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			var cannot *Error
			found = found || errors.As(e, &cannot) && cannot.Probe == want && errors.Is(e, fs.ErrPermission)
		}
		if !found {
			t.Errorf("%s: %v", want, err)
		}
	}
	// The control: with the privilege the one is refused, and the other answered.
	if err := try(false); cannotProbe(err) || !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("with the privilege: %v", err)
	}
}
