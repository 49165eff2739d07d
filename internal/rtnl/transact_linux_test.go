package rtnl_test

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// dialNetfilter opens a Conn for netfilter in a namespace of its own.
func dialNetfilter(t *testing.T) *rtnl.Conn {
	t.Helper()
	c, err := rtnl.DialNetfilter(lab.Test(t).NS("a").Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func netfilter(typ netlink.HeaderType, flags netlink.HeaderFlags, attrs []byte) netlink.Message {
	data := make([]byte, uapi.SizeofNfgenmsg)
	data[uapi.NfgenmsgFamily] = uapi.NFPROTO_INET
	if typ < 0x100 {
		binary.BigEndian.PutUint16(data[uapi.NfgenmsgResID:], uapi.NFNL_SUBSYS_NFTABLES)
	}
	return netlink.Message{Header: netlink.Header{Type: typ, Flags: flags}, Data: append(data, attrs...)}
}

// transaction returns the messages of a transaction, the last of which is acknowledged.
func transaction(reqs ...netlink.Message) []netlink.Message {
	reqs[len(reqs)-1].Header.Flags |= netlink.Acknowledge
	all := append([]netlink.Message{netfilter(uapi.NFNL_MSG_BATCH_BEGIN, 0, nil)}, reqs...)
	return append(all, netfilter(uapi.NFNL_MSG_BATCH_END, 0, nil))
}

func newTable(name string) netlink.Message {
	return netfilter(uapi.NFNL_SUBSYS_NFTABLES<<8|uapi.NFT_MSG_NEWTABLE, netlink.Create,
		attr.Append(nil, uint16(uapi.NFTA_TABLE_NAME), []byte(name+"\x00")))
}

func deleteTable(name string) netlink.Message {
	return netfilter(uapi.NFNL_SUBSYS_NFTABLES<<8|uapi.NFT_MSG_DELTABLE, 0,
		attr.Append(nil, uint16(uapi.NFTA_TABLE_NAME), []byte(name+"\x00")))
}

// tables returns how many tables there are.
func tables(t *testing.T, c *rtnl.Conn) int {
	t.Helper()
	msgs, err := c.Execute(netfilter(uapi.NFNL_SUBSYS_NFTABLES<<8|uapi.NFT_MSG_GETTABLE, netlink.Dump, nil))
	if err != nil {
		t.Fatal(err)
	}
	return len(msgs)
}

// A transaction is done as a whole, or refused as a whole.
func TestKernelTransact(t *testing.T) {
	c := dialNetfilter(t)
	for _, tt := range []struct {
		reqs    []netlink.Message
		refused []int
		tables  int
	}{
		{[]netlink.Message{newTable("a"), newTable("b")}, nil, 2},
		{[]netlink.Message{newTable("c"), deleteTable("x"), newTable("d"), deleteTable("y")}, []int{2, 4}, 2},
		{[]netlink.Message{deleteTable("x"), newTable("c")}, []int{1}, 2},
		{[]netlink.Message{deleteTable("a"), newTable("c"), newTable("d")}, nil, 3},
	} {
		errs, err := c.Transact(transaction(tt.reqs...))
		if err != nil || len(errs) != len(tt.reqs)+2 {
			t.Fatalf("%d answers, %v", len(errs), err)
		}
		want := make([]bool, len(errs))
		for _, i := range tt.refused {
			want[i] = true
		}
		for i, err := range errs {
			if errors.Is(err, unix.ENOENT) != want[i] || err != nil && !rtnl.IsVerdict(err) {
				t.Errorf("message %d: %v", i, err)
			}
		}
		if n := tables(t, c); n != tt.tables {
			t.Errorf("%d tables, want %d", n, tt.tables)
		}
	}
}

// Refusals that do not fit into the receive queue are refusals all the same, and the next
// transaction gets answers of its own.
func TestKernelTransactRefusals(t *testing.T) {
	c := dialNetfilter(t)
	const n = 3000
	reqs := make([]netlink.Message, n)
	for i := range reqs {
		reqs[i] = deleteTable("x")
	}
	errs, err := c.Transact(transaction(reqs...))
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, err := range errs {
		if err != nil {
			refused++
		}
	}
	if refused == 0 || refused > n {
		t.Errorf("%d refusals", refused)
	}
	errs, err = c.Transact(transaction(newTable("a")))
	if err != nil || errors.Join(errs...) != nil || tables(t, c) != 1 {
		t.Errorf("afterwards: %v, %v", errs, err)
	}
}

// Without an acknowledgement it is unknown whether a transaction was done.
func TestKernelTransactUnknown(t *testing.T) {
	c := dialNetfilter(t)
	reqs := transaction(newTable("a"))
	reqs[1].Header.Flags = 0
	if _, err := c.Transact(reqs); !errors.Is(err, rtnl.ErrLostReply) || rtnl.IsVerdict(err) {
		t.Errorf("error %v, want ErrLostReply", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Transact(transaction(newTable("b"))); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
