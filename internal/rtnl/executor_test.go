package rtnl

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/testrun"
)

// A fake answers requests as *netlink.Conn does, which has no more than Execute.
type fake func(netlink.Message) ([]netlink.Message, error)

func (f fake) Execute(req netlink.Message) ([]netlink.Message, error) { return f(req) }

func message(typ netlink.HeaderType, data string) netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: typ}, Data: []byte(data)}
}

// *netlink.Conn returns the acknowledgement among the replies; no reader wants it.
func TestControlMessagesAreLeftOut(t *testing.T) {
	report := testrun.Limit(t)
	all := []netlink.Message{
		message(netlink.Noop, ""), message(24, "a"), message(netlink.Error, "0000"), message(16, "b"), message(netlink.Done, ""),
	}
	want := []netlink.Message{message(24, "a"), message(16, "b")}
	c := fake(func(netlink.Message) ([]netlink.Message, error) { return all, nil })

	got, err := Replies(c, netlink.Message{})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		report.Errorf("Replies: error %v, (-want +got):\n%s", err, diff)
	}
	got = nil
	for m, err := range Dump(c, netlink.Message{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		report.Errorf("Dump (-want +got):\n%s", diff)
	}
	for m := range Dump(c, netlink.Message{}) {
		if string(m.Data) != "a" {
			report.Errorf("Dump goes on after its loop was left: %q", m.Data)
		}
		break
	}
	if len(all) != 5 || all[1].Header.Type != 24 || all[2].Header.Type != netlink.Error {
		report.Errorf("Replies wrote to the executor's own slice: %v", all)
	}
}

func TestExecutorFails(t *testing.T) {
	report := testrun.Limit(t)
	broken := errors.New("broken")
	c := fake(func(netlink.Message) ([]netlink.Message, error) { return []netlink.Message{message(24, "a")}, broken })
	if got, err := Replies(c, netlink.Message{}); got != nil || err != broken {
		report.Errorf("Replies: got %v, %v", got, err)
	}
	n := 0
	for m, err := range Dump(c, netlink.Message{}) {
		if n++; err != broken || m.Data != nil {
			report.Errorf("Dump: got %v, %v", m, err)
		}
	}
	if n != 1 {
		report.Errorf("Dump yielded %d times, want once, the error", n)
	}
}

// Each request is acknowledged and none is echoed: with both, *netlink.Conn
// would leave the acknowledgement in the socket.
func TestSendOneByOne(t *testing.T) {
	report := testrun.Limit(t)
	refused := errors.New("refused")
	var sent []netlink.Message
	c := fake(func(m netlink.Message) ([]netlink.Message, error) {
		sent = append(sent, m)
		if len(sent) == 2 {
			return nil, refused
		}
		return nil, nil
	})
	reqs := []netlink.Message{message(32, "a"), message(32, "b"), message(32, "c")}
	reqs[2].Header.Flags = netlink.Echo | netlink.Create
	errs, err := Send(c, reqs)
	if err != nil || len(errs) != 3 || errs[0] != nil || errs[1] != refused || errs[2] != nil {
		report.Errorf("Send: got %v, %v, want only the second refused", errs, err)
	}
	for i, want := range []netlink.HeaderFlags{
		netlink.Request | netlink.Acknowledge,
		netlink.Request | netlink.Acknowledge,
		netlink.Request | netlink.Acknowledge | netlink.Create,
	} {
		if got := sent[i].Header.Flags; got != want || string(sent[i].Data) != string(reqs[i].Data) {
			report.Errorf("request %d: flags %v and data %q, want %v and %q", i, got, sent[i].Data, want, reqs[i].Data)
		}
	}
	if reqs[2].Header.Flags != netlink.Echo|netlink.Create {
		report.Errorf("Send wrote to its argument: %v", reqs[2].Header.Flags)
	}
	if errs, err := Send(c, nil); len(errs) != 0 || err != nil {
		report.Errorf("Send of nothing: got %v, %v", errs, err)
	}
}
