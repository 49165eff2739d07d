package main

// help is a manual page. A line that is not indented begins a section.
const help = `NAME
    uplinks - several providers on one host

SYNOPSIS
    uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json] plan|up|down|status|check [NAME...]
    uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json] -prune plan|up
    uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json] adopt|-adopt plan [NAME...]
    uplinks [-n NETNS] [-etc DIR] [-json] init
    uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json]
            [-v] [-once [-wait TIME] | -remove] run [NAME...]
    uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json] recover
    uplinks [-n NETNS] [-json] reload
    uplinks [-f FILE] [-json] parse [NAME...]
    uplinks help [COMMAND | file | options | service | exit | json | examples]

DESCRIPTION
    An uplink is an interface, its gateway, a table of routes by them, and a rule
    for each of its addresses, so that packets from that address leave by that
    uplink. The table main, and with it what this host sends from an address
    that is not yet chosen, stays as it is. With NAMEs, a command is about those
    uplinks only.

    init    Prints a file for the host as it is, and changes nothing: a line for each
            interface and gateway that a default route is by, in table main or in a
            table that scripts have made, with the rules of these scripts. Comments
            say why. See COMING FROM SCRIPTS.
    plan    Prints the ip(8) commands that up amounts to, and changes nothing. With
            -adopt, or if up refuses what adopt can do, they are those of adopt.
    adopt   Does what up does, in the place of what scripts have made for the
            uplinks, without a gap. See COMING FROM SCRIPTS.
    up      Makes the kernel's state what the file says: all uplinks or, on a
            failure, none. What is there already is left alone; what differs is
            changed; what is too much in the tables, and has the uplinks'
            protocol, is deleted. The packets of an address change over in one
            step, and none goes astray meanwhile: that is what the rules goto
            and nop in a plan are for, which are gone at the end. Prints what it
            did, if anything. A name that cannot be written to rt_tables is a
            warning.
    down    Removes the rules and routes of the uplinks, and nothing of others,
            and the names from rt_tables that up wrote.
    run     Does what up does, uplink by uplink, and stays to keep it so. See SERVICE.
    reload  Makes run read its file again, and returns when that is done. If the
            file has a fault, reload prints it and fails, and run keeps what it had.
    status  Prints a line for each uplink: complete, absent, or incomplete with
            what is missing, changed or extra, or what of others takes its packets.
            That is what the kernel has. Below it stands whether a run keeps the
            uplinks and, as that process says itself, what each of them waits for.
            If the file has a fault, status prints it and shows the lines that run
            has read.
    check   Prints what is wrong with the uplinks, and what on the host around
            them will hurt, each with what cures it: an interface that is down, a
            source that is gone, a gateway that is missing or does not answer, rules
            out of order, rules and routes of other programs that take the packets of
            an uplink, with whose they are, a LAN that packets would reach by the
            gateway, strict reverse path filters, UDP servers that answer by another
            uplink, programs that delete rules of others. Nothing is sent, and
            nothing changed.
    recover Cleans up after a command that was killed in the middle. What packets
            do stays as it is. up and down begin with it if they have to.
    parse   Checks the file alone, and prints its lines in their normal form. It
            needs no privilege and no network, and changes nothing.

    Reading needs no privilege. up, adopt, down, run and recover need root or
    CAP_NET_ADMIN, and wait for each other.

    down finds an uplink by its line. Of a line that is deleted, "uplinks -prune up"
    removes what is installed. A default route that uplinks share goes with down.

OPTIONS
    -n NETNS   Work in this network namespace: a name that "ip netns" gave, or a
               path, such as /proc/PID/ns/net. Needs CAP_SYS_ADMIN.
    -f FILE    Read this file instead of /etc/uplinks.conf.
    -etc DIR   rt_tables is in this directory instead of /etc/iproute2.
    -json      Print a JSON object instead of text; see JSON below.
    -prune     plan, up: also remove uplinks that the file does not have: all that
               is there of the file's protocols, which as a rule is 210. With the
               rest it is all or nothing.

    -adopt     plan: print the steps of adopt instead of those of up.

    -once      run: end as soon as all uplinks are complete, for scripts at boot. What can
               be installed is, whatever the others wait for. Nothing is probed.
    -wait TIME run -once: or after this time, such as 90s. Without: 30s. The log then
               says what is missing, and the exit status is 3.
    -remove    run: remove the uplinks at the end.
    -v         run: the log also has the commands by which an uplink was installed.

FILE
    A line is an uplink: a name, which is also that of the table, and then words
    of ip(8) in any order. # begins a comment; blank lines do not count. Both
    families of one uplink are two lines with the same name.

    dev NAME         The interface. Required.
    via ADDRESS      The gateway. Without one, all destinations are on the link.
                     via inet6 fe80::1 is a gateway of IPv6 for an uplink of inet.
    family FAMILY    The uplink is one of inet or of inet6. That is needed where
                     neither the gateway nor src says so, as on a point-to-point
                     link. If one of two lines with the same name and interface
                     says its family, the other line is for the other family.
    learn FAMILY     The default routes are learned, for inet or inet6: those in
                     table main by the interface, which a DHCP client or the
                     routers' advertisements put there. All that they say is taken
                     over: gateways or none, onlink, src, mtu and so on; several
                     keep their order. run follows them; when they go, the last
                     ones are kept.
    learn FAMILY table NUMBER
                     The same from another table, where systemd-networkd puts the
                     routes of an interface with RouteTable=. This table is right
                     after FAMILY; anywhere else in the line it is the uplink's.
    onlink           The gateway is on the link although no subnet has it.
    table NUMBER     The table. May be left out where another line of the same
                     name has it. Without any: the one that rt_tables has for
                     the name, or a free one.
    src ADDRESS...   The sources. Default: all global addresses of the interface,
                     of the gateway's family. A source that is not on this host
                     now has its rules all the same; one of them has to be here.
    src PREFIX...    Networks behind this host whose packets take the uplink as
                     well, such as a prefix that the provider has delegated. What
                     table main has a route for other than the default one stays
                     with main: other hosts of the LAN.
    src dev NAME     The same for the networks of another interface, which run
                     follows.
    src none         No address of this host is a source: only other src words and
                     also say what takes the uplink. For two interfaces with the
                     same address, with "also oif NAME" and "also fwmark MARK".
    subnet PREFIX... Prefixes on the link, beside those of the interface's addresses
                     and those that table main has a route to without a gateway
                     (protocols kernel, ra and dhcp).
    to PREFIX...     More destinations behind the gateway.
    pref NUMBER      The priority of the rules. Without: a free one before main.
    metric NUMBER    The metric of the routes.
    proto PROTOCOL   The mark of what is ours. Without: 210.
    main-first       What table main has a route for other than the default one
                     goes by that: other networks of this host, and routes that
                     the administrator has set.
    unreachable      While the link is down, packets from the sources go nowhere,
                     instead of by another way.
    weight NUMBER    The uplink's share of a default route in table main, over all
                     uplinks that have a weight. run only.
    ping ADDRESS...  run finds out whether the uplink leads anywhere: these addresses
                     are asked by ICMP echo, from an address of the uplink. One answer
                     will do. net.ipv4.ping_group_range has to allow it.
    connect ADDRESS:PORT...
                     The same by TCP connections.
    every TIME       The time from one probe to the next. Without: 5s.
    timeout TIME     How long a probe may take. Without: every, but 2s at most.
    failures NUMBER  After so many in a row the uplink is unhealthy. Without: 3.
    successes NUMBER After so many it is healthy again. Without: 2.
    withdraw [all]   While it is unhealthy, its share of the default route, and what
                     also says, are taken away. Rules by fwmark stay, as connections
                     that have begun would end with them; with all they go as well.
                     Without withdraw, the log says so, and no more.
    also SELECTORS   Other traffic that takes the uplink, in the words of
                     ip-rule(8), where main has no nearer way for it than its
                     default route. It ends at the next also or at the end of the
                     line, so it comes after all other words.

    The line "default [table NUMBER] [metric NUMBER]" says where the shared default
    route stands. Without: in table main, with metric 50, which is before the default
    routes that a DHCP client puts there. Behind it stands an IPv4 route by each
    interface alone, with the next metrics, 51 and so on: when an interface is deleted,
    the kernel deletes all of the route that is shared.

    The line "multihome udp PORT..." says that the UDP servers on these ports answer
    from the address that was asked (IP_PKTINFO; the option multihome of OpenVPN).
    check does not report them.

CONTAINERS
    A published port (DNAT) of a container is answered by the container's address, which
    no rule from an address of an uplink matches. So the answer leaves by the default
    route of main, whichever uplink the question came by. check notes it where a bridge
    of Docker, Podman, LXD or another engine has a running container. The answer has to
    carry the mark of its connection. nft sets the mark, and also leads it:

        table inet published {
            chain answers {
                type filter hook prerouting priority mangle;
                iifname "eth1" ct state new ct mark set ct mark | 0x2
                iifname "docker0" ct direction reply meta mark set ct mark & 0x3
            }
        }

        lan2 table 20 dev eth1 via 192.168.2.1 also fwmark 0x2/0x3

    The other bits of the mark stay free for other programs. Where rp_filter is strict
    (1), net.ipv4.conf.all.src_valid_mark=1 and the mark on what comes in by eth1 are
    needed as well. A UDP server outside of containers that listens on all addresses has
    to be told to answer from the address that was asked; see EXAMPLES.

SERVICE
    run installs the uplinks, and keeps them as they are declared: it brings back what
    the kernel deletes with a link that goes down or an address that goes, follows
    addresses and gateways that change, and puts back what others delete. What cannot
    be yet is pending, and does not hold up the others.

    SIGHUP   It reads the file again, changes what differs, and removes the uplinks
             whose lines are gone. With a faulty file all stays as it is, and the log
             says the line and the word. The command line is taken over only by
             another start. The command reload sends this signal, waits, and returns
             the result.
    SIGTERM  It ends, and so by SIGINT. The uplinks stay as they are or, with -remove,
             go. A second one does not wait.
    SIGKILL  The uplinks stay as they are. The next run, up or down cleans up what was
             in the middle of a change.

    There is one run for a network namespace: a second one refuses to begin. It answers
    status on the abstract socket ` + controlName + `.

    Under systemd, install one of these units; their comments say how:

    uplinks-run.service   runs run. It is ready when all uplinks have been looked at,
                          of which some may be pending. "systemctl reload" returns
                          when the reload is done, and fails if the file has a fault.
                          "systemctl status" shows that fault, and how many uplinks
                          are complete. With WatchdogSec it gives signs of life, but
                          only while it looks at the uplinks. After a crash systemd
                          starts it again, and after a faulty file it does not. A stop
                          or a restart leaves the uplinks installed.
    uplinks-wait.service  beside it, makes network-online.target wait until all
                          uplinks are complete, 30 seconds at most.
    uplinks.service       runs "run -once -wait 1m" at boot instead: what can be
                          installed is, and nothing repairs it later.

    The log has a line for each event, on standard error. With -json it is one object a
    line, on standard output. The events:

    installed    All of the uplink is there.
    pending      It waits for an interface, an address or a gateway. Its rules stay,
                 and are kept: with unreachable, its packets go nowhere meanwhile.
    repaired     Something was not as it should be; with the reason, and the commands
                 that ip(8) would have needed.
    failed       The kernel refused, or something of others is in the way, or an address
                 or a network is also another uplink's, and stays with that one. What
                 can be kept of the uplink is. It is tried again, every ten seconds at
                 least.
    events lost  More happened than could be listened to; all was looked at again.
    fighting     Someone keeps undoing the uplinks. Repairs are slow from now on: stop
                 whoever it is, see NOTES.
    calm         Nobody does any more.
    healthy      The probes succeed.
    unhealthy    They fail, or cannot be made; with why.
    removed      The uplink was removed.
    ready        All uplinks have been looked at once, after the start or SIGHUP.

COMING FROM SCRIPTS
    A host whose rc.local has made tables and rules moves like this:

        uplinks init >/etc/uplinks.conf
        uplinks plan
        uplinks adopt

    Read the file before you go on: it says where packets go. Then take the commands
    out of rc.local, and start uplinks-run.service.

    adopt takes the place of rules from the uplinks' addresses that look up their
    tables, of rules that also says, and of the routes in these tables by the uplinks'
    interfaces to the same destinations. Ours are there before theirs go, and packets
    go the way that they went, except as the file says. On a failure all is as it was.
    Names in rt_tables are used as they are. Other rules and routes stay; adopt says
    which rules look up a table of the uplinks. A second adopt changes nothing.

    adopt takes over what has no protocol, or boot, static, or a number without a name.
    What has the protocol of a program that runs (dhcp, ra, bird, zebra and so on) is
    refused with its name: that program would bring it back. systemd-networkd and
    NetworkManager use static: take what they make out of their files before.

EXIT STATUS
    0  Done; plan: nothing to do; status, run -once: all uplinks are complete;
       check: nothing but notes; run: it was ended by a signal.
    1  A failure, of which standard error says the uplink, the step, the kernel's
       words, and what is left, which as a rule is nothing.
       run: it could not begin, or not remove the uplinks at the end.
    2  A fault of the command line or of the file. All faulty lines are reported.
       run: it crashed, and a service manager should start it again.
    3  plan: there is something to do; status, run -once: an uplink is not complete;
       check: there is a warning or a fault.
    78 run: a fault of the command line or of the file, EX_CONFIG of sysexits.h. To
       start it again does not help before the fault is corrected.

JSON
    An object with these fields; one without a value is left out.

    command    The command.
    uplinks    For each line of the file, an object:
        name, table, family (inet, inet6, any), dev
        via        the gateways, given or learned, with commas between them
        sources    those of the line; status: also those that the interface has
        config     the line in its normal form
        reasons    init: what on the host the line comes from, in sentences
        steps      plan: what up or adopt would do; up, adopt, down: what was done;
                   each an ip command. Of several uplinks, plan without -json has the order.
        state      status: complete, incomplete or absent
        missing    status: routes and rules that are not there
        changed    status: objects with the route that is, and is wanted
        extra      status: what of ours there is too much
        overruled  status: rules and routes of others that take all its packets
        problem    status: why up would fail
        notes      status: what is worth knowing, and no reason to be incomplete
        unnamed    status: true if rt_tables has not the name
    findings   check: for each, an object:
        code       what kind of thing it is; codes do not change
        severity   note, warning or fault
        uplink     whose it is; left out: the host's
        object     the route, rule, interface, address or program
        text       what is wrong, in a sentence
        cure       the command or the setting that cures it
    others     What was done about uplinks that the file does not have: objects
               with name and steps. What recover does has the name (left over).
    keeper     status: the run that keeps the uplinks; left out: there is none:
        pid, since, file
        uplinks    for each of its lines: name, family, config, state (starting,
                   installed, pending or failed), reason, health, and since
        default    the same for the default route that is shared, by family
        fighting   who undoes its work at the moment, by the names of the uplinks
        repairs, failures, lost
                   how often it repaired, failed, and lost events of the kernel
        reload     begun and done: how many times it read the file again; error: the
                   faults of the file at the last time, after which it kept its lines
    warnings   What is also on standard error.
    error      Why the command failed, as on standard error.
    left       Steps that were done, and could not be undone.

EXAMPLES
    A VPN server that clients reach by either of two providers. Each answer
    leaves by the provider that the question came from. A server that listens on
    all addresses at once, on UDP, has to be told to answer from the address
    that was asked, or be one process for each address.

        lan1 table 10 dev eth0 via 192.168.1.1
        lan2 table 20 dev eth1 via 192.168.2.1
        lan2          dev eth1 via 2001:db8:2::1

    Mail leaves by the second provider, whose address has a good name, and web
    traffic by the first. Neither is about sockets that are bound to an address.

        lan1 table 10 dev eth0 via 192.168.1.1 also ipproto tcp dport 80 also ipproto tcp dport 443
        lan2 table 20 dev eth1 via 192.168.2.1 also ipproto tcp dport 25

    Addresses and gateways come by DHCP, and over IPv6 by advertisements. Packets
    from an address never leave by the wrong provider, also while a cable is out.

        lan1 table 10 dev eth0 learn inet  unreachable
        lan2 table 20 dev eth1 learn inet  unreachable
        lan2          dev eth1 learn inet6 unreachable

    Everything else is shared out, three to one, over those that lead anywhere.

        lan1 table 10 dev eth0 via 192.168.1.1 weight 3 ping 192.0.2.1 192.0.2.2 withdraw
        lan2 table 20 dev eth1 via 192.168.2.1 weight 1 ping 192.0.2.1 192.0.2.2 withdraw

    Each provider has delegated an IPv6 prefix to the LAN. Packets with a prefix leave by
    its provider. The first one changes, and is learned; the second one does not.

        lan1 table 10 dev eth0 learn inet6         unreachable
        lan2 table 20 dev eth1 via 2001:db8:2::1   unreachable src 2001:db8:200::/56

    Two modems give this host the same address: what is bound to an interface, or has a
    mark, takes one of them.

        modem1 table 10 dev eth0 via 192.168.8.1 src none also oif eth0 also fwmark 0x10
        modem2 table 20 dev eth1 via 192.168.8.1 src none also oif eth1 also fwmark 0x20

    The folder conf, beside the source of this program, has these as files.

    A file for this host, to begin with:

        uplinks init

    What would change, the change, and a check of it:

        uplinks plan
        uplinks up
        uplinks status
        uplinks check

NOTES
    When a link goes down the kernel deletes its IPv4 routes from every table. run
    restores them. Without run, use up again when the link is back.

    systemd-networkd deletes rules and routes of other programs when it starts, and
    when it configures an interface. Two settings in the section [Network] of its
    configuration prevent that, and both are needed:

        mkdir -p /etc/systemd/networkd.conf.d
        printf '[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n' \
            >/etc/systemd/networkd.conf.d/uplinks.conf
        systemctl restart systemd-networkd

    dhclient and udhcpc, which ifupdown uses, add the default route without a metric.
    The kernel has one such route, so the second interface gets none ("File exists"),
    and learn waits for it. Give all interfaces but one a metric in interfaces(5):

        iface eth1 inet dhcp
            metric 200

    dhclient heeds it. The script of udhcpc in Debian does not, unless its line
    "busybox ip -4 route add default" ends with ${IF_METRIC:+metric $IF_METRIC}: see
    /etc/udhcpc/default.script. dhcpcd, NetworkManager and systemd-networkd choose a
    metric for each interface by themselves.

SEE ALSO
    ip-rule(8), ip-route(8)
`
