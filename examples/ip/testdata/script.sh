#!/bin/sh
#
# Commands for ip(8), and what comes of each: what it prints, its exit status,
# and what it says on standard error.

run() {
	echo "\$ $*"
	"$@" 2>err </dev/null
	echo "= $?"
	while IFS= read -r line; do
		printf '! %s\n' "$line"
	done <err
	printf '%s' "${line:+! $line}"
}

# Rules of IPv4.
run ip -4 rule add table 10
run ip -4 rule add table 255
run ip -4 rule add table 0xfffffffe
run ip -4 rule add priority 1 table 10
run ip -4 rule add to all table 10
run ip -4 rule add iif nosuch0 table 10
run ip -4 rule add fwmark 0x10/0xf0 table 10
run ip -4 rule add dsfield 0x08 table 10
run ip -4 rule add ipproto tcp table 10
run ip -4 rule add ipproto 200 table 10
run ip -4 rule add dport 80-443 table 10
run ip -4 rule add uidrange 0-0 table 10
run ip -4 rule add suppress_prefixlength 16 table 10
run ip -4 rule add protocol static table 10
run ip -4 rule add tun_id 100 table 10
run ip -4 rule add pref 500 nop
run ip -4 rule add type blackhole pref 504
run ip -4 rule add not iif eth0 table 10
run ip -4 rule add pref 10 goto 10
run ip -4 rule add fwmark xyz table 10
run ip -4 rule add suppress_prefixlength 200 table 10
run ip -4 rule add tos 0x123 table 10
run ip -4 rule add tun_id zz table 10
run ip -4 rule add from 192.168.1.6 to 10.1.2.3 table 10
run ip -4 rule add from 192.168.1.6 realms 5 table 10
run ip -4 rule add from 192.168.1.6 pref 100 unreachable
run ip -4 rule add from 300.1.1.1 table 10
run ip -4 rule add from 1.2.3.4/0 table 10
run ip -4 rule add from 10.0.0.0/8 suppress_prefixlength 0 table main
run ip -4 rule add dport 55149-64711 pref 31609 goto 32766
run ip -4 rule add sport 204-42063 oif gone1 pref 950 table 100
run ip -4 rule add protocol 187 iif gone0 pref 14309 nop
run ip -4 rule add to 251.209.116.0/24 pref 707 table 70000
run ip -4 rule add sport 43816-60308 pref 17150 table 100
run ip -4 rule add ipproto gre tun_id 340832829690 oif eth1 pref 27191 prohibit
run ip -4 rule add oif eth0 ipproto sctp iif gone0 uidrange 45735-53350 unreachable
run ip -4 rule add fwmark 0x4181/0x8833 dport 196 protocol static pref 28663 prohibit
run ip -4 rule add from 189.240.0.0/12 to 40.41.243.112/32 pref 28180 table 20
run ip -4 rule add ipproto udp pref 6511 prohibit
run ip rule
run ip -4 rule list
run ip -d rule show
run ip -j rule show
run ip -j -p rule show table 10
run ip rule show table 10
run ip rule show from 192.168.1.6
run ip rule show to 10.0.0.0/8
run ip rule ls pref 500
run ip rule lst not
run ip rule sh prot static
run ip rule sh fwmark 0x10/0xf0
run ip rule sh iif nosuch0
run ip rule sh oif eth0
run ip rule sh ipproto tcp
run ip rule sh dport 80-443
run ip rule sh tun_id 100
run ip rule sh tos 0x08
run ip rule sh 10.1.2.3
run ip rule sh table nosuch
run ip rule sh proto nosuch
run ip rule sh from nosuch
run ip rule sh pref
run ip rule del pref 500
run ip rule del pref 500
run ip rule del pref 504 blackhole
run ip rule d from 192.168.1.6 to 10.1.2.3
run ip rule delete table 70000
run ip rule del from 10.0.0.0/8 lookup main
run ip rule del
run ip rule add
run ip rule bogus
run ip rule add help
run ip ru a from 192.0.2.1 ta 33 prio 77 prot 99
run ip ru a from 192.0.2.2 proh o 78
run ip ru a from 192.0.2.3 g 32766 pre 79
run ip ru a from 192.0.2.3 loo 5
run ip ru l from 192.0.2.0/24
run ip rule flush proto 99
run ip rule flush table 20
run ip rule show

# Rules of IPv6.
run ip -6 rule add table 10
run ip -6 rule add table default
run ip -6 rule add from all table 10
run ip -6 rule add iif nosuch0 table 10
run ip -6 rule add fwmark 1 table 10
run ip -6 rule add not fwmark 0xca6c table 51820
run ip -6 rule add tos 0x1c table 10
run ip -6 rule add ipproto 132 table 10
run ip -6 rule add dport 25 table 20
run ip -6 rule add sport 1-65535 dport 5 table 10
run ip -6 rule add l3mdev protocol kernel
run ip -6 rule add suppress_ifgroup 0 table 10
run ip -6 rule add protocol boot table 10
run ip -6 rule add proto zebra table 10
run ip -6 rule add protocol dhcp table 10
run ip -6 rule add goto 32766
run ip -6 rule show
run ip -6 -d ru
run ip -f inet6 -j rule show
run ip -family inet6 rule show table 10
run ip -6 rule del fwmark 1
run ip -6 rule del from all table 10
run ip -6 rule add from 192.0.2.1 table 10
run ip rule add from 2001:db8::1 table 10
run ip -6 rule flush
run ip -6 rule

# Save and restore of rules.
ip rule save >saved
run ip rule flush
run ip rule show
ip rule restore <saved
echo $?
run ip rule show

# Routes of IPv4.
run ip -4 route add default via 192.168.1.1
run ip -4 route add default via 192.168.1.1 dev eth0 table 10
run ip -4 route add 10/8 via 192.168.1.1
run ip -4 route add 10.0.0.0/8 via 192.168.1.1 proto static
run ip -4 route append 10.0.0.0/8 via 192.168.1.1 proto bgp metric 20
run ip -4 route replace 10.0.0.0/8 via 192.168.1.1 tos 0x10
run ip -4 route prepend blackhole 10.0.0.0/8
run ip -4 route change prohibit 10.0.0.0/8 table 10
run ip -4 route add throw default table 10
run ip -4 route add broadcast 10.0.0.255 dev eth0 table 10
run ip -4 route add anycast 10.0.0.1 dev eth0
run ip -4 route test 10.0.0.0/8 via 192.168.1.1 mtu 1400
run ip -4 route add 10.0.0.0/8 via 192.168.1.1 advmss 1360
run ip -4 route append 10.0.0.0/8 via 192.168.1.1 rtt 1s rttvar 50ms
run ip -4 route replace 10.0.0.0/8 via 192.168.1.1 hoplimit 64
run ip -4 route prepend 10.0.0.0/8 via 192.168.1.1 features ecn
run ip -4 route change 10.0.0.0/8 via 192.168.1.1 congctl cubic
run ip -4 route test 10.0.0.0/8 via 192.168.1.1 realms 3/4
run ip -4 route add default nexthop dev eth0 weight 1 nexthop dev eth1 weight 1
run ip -4 route add 10.0.0.0/8 dev eth0 scope site
run ip -4 route append 10.0.0.0/8 via 192.168.1.1 ttl-propagate enabled
run ip -4 route replace 10.0.0.0/8 dev nosuch
run ip -4 route prepend 10.0.0.0/8
run ip -4 route change 10.0.0.0/8 via 192.168.1.1 scope nosuch
run ip -4 route test 10.0.0.0/8 via 192.168.1.1 congctl nosuchcc
run ip -4 route add 10.0.0.0/8 via 192.168.1.1 features nosuch
run ip -4 route append 10.0.0.0/8 via 192.168.1.1 quickack 2
run ip -4 route add throw 10.217.67.0/24 table 1000 metric 2486
run ip -4 route add prohibit 10.134.70.156/30 table 254 metric 2762
run ip -4 route add blackhole 10.22.249.96/30 table 10
run ip -4 route add throw default table 100 proto ra metric 4246
run ip -4 route add unreachable 10.212.96.96/28 table 254
run ip -4 route add blackhole 10.225.254.96/30 table 20 proto 99 metric 1912
run ip -4 route add blackhole 10.111.46.87/32 table 1000 proto 99
run ip -4 route add unreachable 10.43.0.0/16 table 100
run ip -4 route add 10.201.160.144/28 table 254 proto dhcp via 192.168.1.1 dev eth0
run ip -4 route add throw 10.200.156.212/30 table 10
run ip -4 route add 10.63.0.0/16 advmss 994 table 20 via 192.168.2.1 dev eth1
run ip -4 route replace 10.0.0.0/8 window 12305 table 20 via 192.168.1.1 dev eth0
run ip -4 route add 10.10.0.0/16 table 70000 via 192.168.1.1 dev eth0
run ip -4 route add throw 10.69.32.0/20 table 20 metric 85
run ip -4 route add unreachable default table 254
run ip -4 route add 10.229.0.0/16 table 10 proto ra via 192.168.2.1 dev eth1
run ip -4 route add throw 10.10.64.0/24 table 254
run ip -4 route add 10.83.192.0/24 table 70000 via 192.168.1.1 dev eth0
run ip -4 route add unreachable default table 10
run ip route
run ip r
run ip ro sh
run ip route list table all
run ip -4 route ls table 10
run ip -d route show table 1000
run ip -j route show table 1000
run ip -j -p -d route show table 20
run ip -o route show
run ip -N route show table 10
run ip route show proto static
run ip route show proto kernel scope link
run ip route show dev eth1
run ip route show via 192.168.1.1
run ip route show src 192.168.1.6
run ip route show type blackhole table all
run ip route show root 10.0.0.0/8
run ip route show match 10.0.0.1
run ip route show exact 10.0.0.0/8
run ip route show to exact 10.0.0.0/8
run ip route show 10.0.0.0/8
run ip route show default
run ip route show tos 0x10
run ip route show metric 20
run ip route show realms 3/4
run ip route show realms 3/
run ip route show scope site
run ip route show scope all proto all
run ip route show cache
run ip route show table nosuch
run ip route show table 4711
run ip route show dev nosuch
run ip route show type nosuch
run ip route show nosuch
run ip route get 10.0.0.1
run ip route get 192.168.2.7
run ip route get 192.168.1.6
run ip -d route get 192.168.2.7 from 192.168.2.2
run ip -j route get 192.168.2.7
run ip -o route get 192.168.2.7 oif eth1 mark 7 uid 0
run ip route get 192.168.2.7 ipproto udp sport 5 dport 6
run ip route get fibmatch 192.168.2.7
run ip route get 192.168.2.7 connected
run ip route get 192.168.2.7 notify
run ip route get 224.0.0.1 dev eth0
run ip route get 192.168.2.7 iif eth0
run ip route get 192.168.2.7 iif nosuch
run ip route get 192.168.2.7 vrf nosuch
run ip route get
run ip route del 10.63.0.0/16
run ip route del 10.63.0.0/16 table 20
run ip route del throw 10.200.156.212/30 table 10
run ip route del blackhole 10.200.156.212/30 table 10
run ip route del 10.0.0.0/8 proto static
run ip route d 10.0.0.0/8 via 192.168.1.1
run ip route del 10.0.0.0/8 tos 0x10
run ip route del local 192.168.1.6 dev eth0 table local
run ip route del 192.0.2.0/24
run ip route del
run ip route a throw 10.1.0.0/16 ta 33
run ip route a 10.2.0.0/16 via 192.168.1.1 prot 99 prio 8
run ip route a 10.2.0.0/16 via 192.168.1.1 mark 8
run ip route a 10.2.0.0/16 via
run ip route chg 10.2.0.0/16 via 192.168.1.7 prot 98 met 8
run ip route change 10.3.0.0/16 via 192.168.1.7
run ip route flush
run ip -s route flush table 1000
run ip -s -s route flush table 70000
run ip route flush proto 98
run ip route flush table 4711
run ip route show table all

# Save and restore of routes.
ip route save table all >saved
run ip route flush table 10
run ip route flush root 10.0.0.0/8
run ip -4 route show table all
ip route restore <saved >out 2>err
echo $?
cat out err
ip route showdump <saved
run ip -4 route show table all

# Routes of IPv6.
run ip -6 route add 2001:db8:1::/64 dev eth0 src 2001:db8:1::6 table 10
run ip -6 route add 2001:db8:aa::/48 via 2001:db8:1::1 metric 1 pref high
run ip -6 route add 2001:db8:aa::/48 via 2001:db8:1::1 pref medium
run ip -6 route add 2001:db8:aa::/48 via 2001:db8:1::1 mtu lock 1400
run ip -6 route add default from 2001:db8:1::6 via 2001:db8:1::1 table 10
run ip -6 route add prohibit 2001:db8:aa::/48 metric 7
run ip -6 route add local 2001:db8:aa::1 dev lo
run ip -6 route add 2001:db8:aa::/48 via 2001:db8:99::1 dev eth0 onlink
run ip -6 route add 2001:db8:aa::/48 encap mpls 100 via 2001:db8:1::1 dev eth0
run ip -6 route add 2001:db8:aa::/48 via 2001:db8:1::1 metric 0
run ip -6 route add 2001:db8:aa::/48 via 2001:db8:1::6
run ip -6 route add 2001:db8:aa::/48 via 2001:db8:1::1 pref urgent
run ip -6 route add throw 2001:25:f99b::/48 table 70000 proto bgp
run ip -6 route add throw 2001:e61a::/32 table 20 proto dhcp
run ip -6 route
run ip -6 route show table all
run ip -6 -d route show table 10
run ip -6 -j route show
run ip -6 route show dev eth1
run ip -6 route show 2001:db8:aa::/48
run ip -6 route show root 2001:db8::/32
run ip -6 route show match 2001:db8:aa::1
run ip -6 route show metric 7
run ip -6 route get 2001:db8:aa::1
run ip route get 2001:db8:2::7
run ip -d route get 2001:db8:2::7 from 2001:db8:1::6
run ip -j route get fibmatch 2001:db8:2::7
run ip -6 route get 192.168.1.1
run ip -6 route replace 2001:db8:aa::/48 via 2001:db8:2::1
run ip -6 route append 2001:db8:aa::/48 via 2001:db8:1::1
run ip -6 route del 2001:db8:aa::/48 via 2001:db8:2::1
run ip -6 route del prohibit 2001:db8:aa::/48
run ip -6 route flush 2001:db8:aa::/48
run ip -6 route show table all

# Batches.
cat >batch <<'END'
# a comment
rule add from 198.51.100.1 table 5
   route add 198.51.100.0/24 \
	via 192.168.1.1   # the gateway

rule del from 198.51.100.9
rule show table "5"
rule add from 198.51.100.2 table 5
END
run ip -batch batch
run ip rule show table 5
run ip -force -b batch
run ip -b nosuch
printf 'rule show\nrule bogus\nrule show\n' >batch
run ip -force -b batch
printf 'rule add table 6 pref 1\nroute show dev nosuch\nroute show' >batch
run ip -fo -b batch
run ip -6 -b batch

# Options, and what is no object.
run ip -n nosuch rule
run ip -netns nosuch rule
run ip -nosuch rule
run ip -f nosuch rule
run ip -- rule show table 5
run ip --json rule show table 5
run ip -br -h -t -l 5 rule show table 6
run ip nosuch

# Colors.
run ip -c route show table main
run ip -col=always -d route show table main
run ip -color=auto rule
run ip -c=never rule
run ip -c -6 route
run ip -c -o route
run ip -c rule
run ip -c -6 rule
run ip -c -j rule
run ip -c -j route
run ip -colors rule
run ip -c=foo rule
run ip -c route get 192.168.1.9
run ip -c -6 route get 2001:db8:1::9
run ip -4 rule add from 10.200.0.0/16 to 10.201.0.1 iif eth0 oif eth1 table 10 pref 77
run ip -c rule show pref 77
run ip -4 route add 10.202.0.0/16 via inet6 fe80::1 dev eth0
run ip -c route show 10.202.0.0/16
run ip -4 route add 10.203.0.0/16 src 192.168.1.6 nexthop via 192.168.1.1 nexthop via inet6 fe80::9 dev eth1
run ip -c route show 10.203.0.0/16
run env "COLORFGBG=15;0" ip -c route show 10.203.0.0/16
run env "COLORFGBG=15;0" ip -c rule show pref 77
run env "COLORFGBG=0;15" ip -c rule show pref 77
run env "COLORFGBG=default;8" ip -c rule show pref 77

# What the kernel echoes.
run ip -echo rule add from 10.204.0.1 table 20 pref 78
run ip -ec rule add from 10.204.0.2 table 20
run ip -d -echo rule del from 10.204.0.1
run ip -echo route add 10.205.0.0/16 dev eth0
run ip -d -echo route replace 10.205.0.0/16 dev eth0 mtu 1400
run ip -echo route add 10.206.0.0/16 dev eth0 table 77
run ip -c -echo route del 10.205.0.0/16
run ip -echo -6 route add 2001:db8:205::/48 dev eth1
run ip -echo -6 route del 2001:db8:205::/48
run ip -echo route add 10.207.0.0/16 via 203.0.113.99
run ip -echo rule flush pref 77
run ip -echo route flush 10.206.0.0/16 table 77
run ip -echo route get 192.168.1.9

# The destination of zeros.
run ip route get default
run ip route get any
run ip route get all
run ip -4 route get any
run ip -4 route get default
run ip -6 route get default
run ip -6 route get all from 2001:db8:1::6
run ip route get 0.0.0.0/0
run ip route get default oif eth1
run ip route get default from 192.168.1.6
run ip route get to default
run ip route get default 192.168.1.9
run ip -j route get default

# The VRF that is none.
run ip route add 10.208.0.0/16 dev eth0 vrf default
run ip route show 10.208.0.0/16
run ip route show vrf default 10.208.0.0/16
run ip route del 10.208.0.0/16 vrf default
run ip route show vrf nosuch0
run ip route get 192.168.1.9 vrf default

# Locks.
run ip route add 10.209.0.0/16 dev eth0 rto_min lock 200ms
run ip route add 10.209.0.0/16 dev eth0 quickack lock 1
run ip route add 10.209.0.0/16 dev eth0 features lock ecn
run ip route add 10.209.0.0/16 dev eth0 fastopen_no_cookie lock 1
run ip route add 10.209.0.0/16 dev eth0 mtu lock 1400 rtt lock 20ms congctl lock reno hoplimit lock 3 rto_min 200ms
run ip route show 10.209.0.0/16

# The object in the name.
ln -s "$(command -v ip)" iproute
ln -s "$(command -v ip)" iprule
ln -s "$(command -v ip)" ipr
run ./iprule show pref 0
run ./iproute show 10.209.0.0/16
run ./iproute del 10.209.0.0/16
run ./ipr -4 get 192.168.1.9
run ./iprule
run ./iprule rule
run ./iprule help
