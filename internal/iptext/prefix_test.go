package iptext

import (
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

// What "ip rule add from PREFIX" of iproute2 6.1 makes of its argument, in
// "ip rule show" or, where that shows "all", in the message; with -6 where it
// has a colon. Empty is a refusal.
var prefixes = map[string]string{
	"10.0.0.0/8": "10.0.0.0/8", "10/8": "10.0.0.0/8", "10.1/16": "10.1.0.0/16", "1.2.3/24": "1.2.3.0/24",
	"10": "10.0.0.0/32", "10.1": "10.1.0.0/32", "192.168.1.6": "192.168.1.6/32", "0": "0.0.0.0/32",
	"0/0": "0.0.0.0/0", "10.0.0.1/0": "10.0.0.1/0", "198.51.100.7/24": "198.51.100.7/24",
	"0x0a/8": "10.0.0.0/8", "010/8": "8.0.0.0/8",
	"10.0.0.0/0x8": "10.0.0.0/8", "10.0.0.0/010": "10.0.0.0/8",
	"10.0.0.0/255.0.0.0": "10.0.0.0/8", "10/255.0.0.0": "10.0.0.0/8", "10.0.0.0/0.0.0.0": "10.0.0.0/0",
	"10.0.0.0/255.255.255.255": "10.0.0.0/32", "10.0.0.0/255.255": "10.0.0.0/16",
	"default": "invalid Prefix", "all": "invalid Prefix", "any": "invalid Prefix",

	"2001:db8::/32": "2001:db8::/32", "::/0": "::/0", "2001:db8:1::6": "2001:db8:1::6/128",
	"::ffff:1.2.3.0/120": "::ffff:1.2.3.0/120", "::ffff:1.2.3.4": "::ffff:1.2.3.4/128", "::1.2.3.4": "::102:304/128",

	"": "", "/": "", "/8": "", "10.0.0.0/": "", "10./8": "", ".10/8": "", "300/8": "", "10.0.0.256": "", "10.0.0.0.0/8": "",
	"10.0.0.0/33": "", "10.0.0.0/-1": "", "10.0.0.0/0xff": "", "10.0.0.0/255": "", "10.0.0.0/8/8": "",
	"10.0.0.0/255.0.255.0": "", "10.0.0.0/0.255.0.0": "", "10.0.0.0/ffff::": "",
	"default/0": "", "all/0": "", "any/1": "", "table": "", "10.0.0.0 ": "", "1.2.3.4.": "", "0x/8": "", "08/8": "",
	"2001:db8::/129": "", "2001:db8::/ffff::": "", "2001:db8::/": "", "2001/16": "",
	"fe80::1%lo": "", "fe80::1%lo/64": "", ":": "",
}

func TestPrefix(t *testing.T) {
	report := testrun.Limit(t)
	for s, want := range prefixes {
		p, ok := Prefix(s)
		if got := p.String(); ok != (want != "") || ok && got != want {
			report.Errorf("Prefix(%q): got %s, %t, want %q", s, got, ok, want)
		}
	}
	// A netmask is IPv4's alone: ip(8) takes this one for 8 bits.
	if p, ok := Prefix("2001:db8::/255.0.0.0"); ok {
		report.Errorf("an IPv6 prefix with an IPv4 netmask is %s", p)
	}
}

func TestAddr(t *testing.T) {
	report := testrun.Limit(t)
	for s, want := range map[string]string{
		"192.168.1.1": "192.168.1.1", "10.1": "10.1.0.0", "0xa.0.0.1": "10.0.0.1",
		"2001:db8::1": "2001:db8::1", "::ffff:1.2.3.4": "::ffff:1.2.3.4",
		"": "", "default": "", "10/8": "", "fe80::1%eth0": "", "2001:db8::1/64": "", "1.2.3.4.5": "", "1..2": "",
	} {
		a, ok := Addr(s)
		if ok != (want != "") || ok && a.String() != want {
			report.Errorf("Addr(%q): got %s, %t, want %q", s, a, ok, want)
		}
	}
}

// The forms are those of "ip rule show" and "ip route show".
func TestPrefixString(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct {
		p    netip.Prefix
		want string
	}{
		{netip.Prefix{}, "default"},
		{netip.MustParsePrefix("10.0.0.0/8"), "10.0.0.0/8"},
		{netip.MustParsePrefix("198.51.100.7/24"), "198.51.100.7/24"},
		{netip.MustParsePrefix("192.168.1.6/32"), "192.168.1.6"},
		{netip.MustParsePrefix("0.0.0.0/0"), "0.0.0.0/0"},
		{netip.MustParsePrefix("2001:db8:1::6/128"), "2001:db8:1::6"},
		{netip.MustParsePrefix("2001:db8:1::6/32"), "2001:db8:1::6/32"},
		{netip.MustParsePrefix("::ffff:1.2.3.0/120"), "::ffff:1.2.3.0/120"},
	} {
		if got := PrefixString(tt.p); got != tt.want {
			report.Errorf("PrefixString(%v): got %q, want %q", tt.p, got, tt.want)
		}
	}
}

// FuzzPrefix reads any text as a prefix. What can be read reads the same when
// printed, and what netip can read is the same here.
func FuzzPrefix(f *testing.F) {
	for s := range prefixes {
		f.Add(s)
	}
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, s string) {
		seeds.Next(t)
		p, ok := Prefix(s)
		if ok {
			if again, ok := Prefix(PrefixString(p)); !ok || again != p {
				t.Errorf("%q is %v, prints as %q and is then %v, %t", s, p, PrefixString(p), again, ok)
			}
			if p != (netip.Prefix{}) && (!p.IsValid() || p.Addr().Zone() != "") {
				t.Errorf("%q is %#v", s, p)
			}
		} else if p != (netip.Prefix{}) {
			t.Errorf("%q is not a prefix, but %v", s, p)
		}
		if want, err := netip.ParsePrefix(s); err == nil && (!ok || p != want) {
			t.Errorf("%q is %v, %t, and netip reads %v", s, p, ok, want)
		}
		want, err := netip.ParseAddr(s)
		if err == nil && want.Zone() == "" && (!ok || p.Addr() != want || !p.IsSingleIP()) {
			t.Errorf("%q is %v, %t, and netip reads %v", s, p, ok, want)
		}
	})
}
