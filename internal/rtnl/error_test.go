package rtnl

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/testrun"
)

func TestErrorText(t *testing.T) {
	report := testrun.Limit(t)
	refused := &netlink.OpError{Op: "receive", Err: syscall.EINVAL, Message: "Backward goto not supported", Offset: 36}
	silent := &netlink.OpError{Op: "receive", Err: syscall.ESRCH}
	tests := []struct {
		err  Error
		want string
	}{
		{Error{"rule", "add", "from all goto 1 pref 5", "FRA_GOTO", refused},
			`rule: add "from all goto 1 pref 5": invalid argument: Backward goto not supported (FRA_GOTO)`},
		{Error{"route", "delete", "10.0.0.0/8", "", silent}, `route: delete "10.0.0.0/8": no such process`},
		{Error{"rule", "list", "", "", silent}, `rule: list: no such process`},
		{Error{"route", "add", "default", "", errors.New("no reason")}, `route: add "default": no reason`},
		{Error{"rule", "add", "to 10.0.0.0/8", "", fmt.Errorf("read back: %w; again", refused)},
			`rule: add "to 10.0.0.0/8": read back: invalid argument: Backward goto not supported; again`},
		{Error{"rule", "add", "", "", &netlink.OpError{Op: "receive"}}, `rule: add: netlink receive: <nil>`},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			report.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestAttrAt(t *testing.T) {
	report := testrun.Limit(t)
	const fixed = 12
	// A header, an attribute 6 with 4 bytes, an attribute 0x8001 with 5.
	payload := recorded(t, "=000000000000000000000000 0800 0600 01000000 0900 0180 =0102030405000000")
	name := func(n uint16) string { return "attribute " + strconv.Itoa(int(n)) }
	at := func(off int) error {
		return fmt.Errorf("wrapped: %w", &netlink.OpError{Op: "receive", Err: syscall.EINVAL, Offset: off})
	}
	tests := []struct {
		name    string
		err     error
		payload []byte
		want    string
	}{
		{"no offset", at(0), payload, ""},
		{"negative", at(-1), payload, ""},
		{"netlink's header", at(15), payload, ""},
		{"the family's header", at(27), payload, ""},
		{"start of the first", at(28), payload, "attribute 6"},
		{"within the first", at(35), payload, "attribute 6"},
		{"start of the second", at(36), payload, "attribute 1"},
		{"within the second", at(44), payload, "attribute 1"},
		{"beyond the end", at(48), payload, ""},
		{"payload without a header", at(28), payload[:fixed-1], ""},
		{"payload without attributes", at(28), payload[:fixed], ""},
		{"another error", errors.New("x"), payload, ""},
		{"nil", nil, payload, ""},
	}
	for _, tt := range tests {
		if got := AttrAt(tt.err, tt.payload, fixed, name); got != tt.want {
			report.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
