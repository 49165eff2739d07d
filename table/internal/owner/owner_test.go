package owner

import (
	"slices"
	"testing"

	"github.com/policyroute/policyroute/rule"
)

// Rules as these programs make them, and others that only look a little like them.
func TestWhose(t *testing.T) {
	for _, c := range []struct{ rule, want string }{
		{"5270: from all lookup 52", "by its priority, it may belong to Tailscale"},
		{"5210: from all fwmark 0x80000/0xff0000 lookup main", "by its priority, it may belong to Tailscale"},
		{"5209: from all lookup 52", "added with ip, by hand or by a script"},
		{"5270: from all lookup 52 proto static", "proto static: from an administrator or a network manager"},
		{"30999: not from all fwmark 0xca6c lookup 51820", "by its mark, it may belong to wg-quick"},
		{"31117: not from all fwmark 0xcb74 lookup 52084 proto static", "by its mark, it may belong to wg-quick"},
		{"30999: from all fwmark 0xca6c lookup 51821", "added with ip, by hand or by a script"},
		{"2001: from all fwmark 0x100/0x3f00 lookup 1", "by its priority and mark, it may belong to mwan3"},
		{"2001: from all fwmark 0x100 lookup 1", "added with ip, by hand or by a script"},
		{"29990: from all fwmark 0x10000/0xff0000 lookup 256", "by its priority, it may belong to pbr"},
		{"1024: from all fwmark 0x80/0x80 lookup main", "by its priority and mark, it may belong to amazon-vpc-cni"},
		{"9: from all fwmark 0x200/0xf00 lookup 2004 proto kernel", "by its priority, it may belong to Cilium"},
		{"100: from 10.2.0.2 lookup 9", "added with ip, by hand or by a script"},
		{"30350: from 10.0.0.5 lookup 30350 proto static", "by its priority, it may belong to nm-cloud-setup"},
		{"77: from all fwmark 0x4000/0x4000 lookup 9", "by its mark, it may belong to kube-proxy"},
		{"77: from all lookup 9 proto bird", "proto bird"},
		{"1000: from all lookup 9 proto kernel", "from the kernel"},
	} {
		r, err := rule.Parse(c.rule, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := Whose(&r); got != c.want {
			t.Errorf("%s: %s, want %s", c.rule, got, c.want)
		}
	}
}

// Rules without a mark belong to a program if another rule with its mark is there.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		rules, want []string
	}{
		{
			[]string{"512: from all to 10.0.1.20 lookup main", "1024: from all fwmark 0x80/0x80 lookup main", "1536: from 10.0.1.21 lookup 2", "2000: from all lookup 3"},
			[]string{"amazon-vpc-cni", "amazon-vpc-cni", "amazon-vpc-cni", ""},
		},
		{
			[]string{"512: from all to 10.0.1.20 lookup main", "1536: from 10.0.1.21 lookup 2"},
			[]string{"", ""},
		},
		{
			[]string{"1001: from all iif wan lookup 1", "2001: from all fwmark 0x100/0x3f00 lookup 1", "1002: from all iif wanb lookup 2 proto 210"},
			[]string{"mwan3", "mwan3", "policyroute"},
		},
		{
			[]string{"0: from all lookup local proto kernel", "77: from all lookup 9 proto bird", "10: from all fwmark 0xa00/0xf00 lookup 2005"},
			[]string{"", "bird", "Cilium"},
		},
	} {
		var rules []rule.Rule
		for _, s := range c.rules {
			r, err := rule.Parse(s, nil)
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, r)
		}
		if got := Names(rules); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.rules, got, c.want)
		}
	}
}
