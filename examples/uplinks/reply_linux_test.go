package main

import (
	"context"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/reply"
)

// replyConf has an uplink by each provider, and everything that lines about answers can say.
const replyConf = `reply udp 53 1194-1199
reply forwarded
lan1 table 10 dev eth0 via 192.168.1.1
lan2 table 20 dev eth1 via 192.168.2.1 masquerade
`

// replyTable returns the lines of the table of nf_tables, or nil if there is none.
func (h *host) replyTable() []string {
	h.Helper()
	c, err := nft.DialLike(h.conn)
	if err != nil {
		h.Fatal(err)
	}
	defer c.Close()
	now, err := nft.Read(h.Context(), c, nft.Inet, reply.TableName)
	if err != nil {
		h.Fatal(err)
	}
	if !now.Found {
		return nil
	}
	return now.Lines()
}

// replyRules returns the rules of the policy for answers.
func (h *host) replyRules() (all []string) {
	h.Helper()
	for r, err := range rule.All(h.Context(), h.conn, rule.Filter{}) {
		if err != nil {
			h.Fatal(err)
		}
		if r.Protocol == reply.Protocol {
			all = append(all, r.String())
		}
	}
	return all
}

// Lines about answers are planned and installed with the uplinks, and removed with them.
func TestReply(t *testing.T) {
	h := newHost(t, replyConf)
	before := h.state()
	out, errs := h.run(exitPending, "plan")
	for _, want := range []string{
		"(reply):\n", "added    rule from all fwmark 0x4/0x7c lookup main suppress_prefixlength 1", "changed  table inet policyroute of nf_tables:\n",
		"The handling of answers switches in one step.\n", "All IPv4 packets switch",
	} {
		if !strings.Contains(out, want) || errs != "" {
			t.Errorf("plan does not have %q:\n%s%s", want, out, errs)
		}
	}
	h.run(exitPending, "-impact", "plan")
	h.unchanged(before)
	if has := h.replyTable(); has != nil {
		t.Errorf("plan has made a table: %s", has)
	}
	out, _ = h.run(exitOK, "up")
	if !strings.Contains(out, "(reply): added 4 rules, changed table inet policyroute of nf_tables\n") {
		t.Errorf("up: %s", out)
	}
	first, rules := h.replyTable(), h.replyRules()
	if len(first) == 0 || len(rules) != 4 {
		t.Errorf("after up there are the rules %q and the table %q", rules, first)
	}
	h.want("nothing to change\n", exitOK, "plan")
	h.want("", exitOK, "up")
	h.run(exitOK, "down")
	h.unchanged(before)
	if has := h.replyTable(); has != nil {
		t.Errorf("after down there is a table: %s", has)
	}
}

// A line that is deleted is no longer in force after up, and names of uplinks select whose
// answers come and go.
func TestReplyChanges(t *testing.T) {
	h := newHost(t, replyConf)
	h.run(exitOK, "up", "lan1")
	if text := strings.Join(h.replyTable(), "\n"); !strings.Contains(text, `"lan1"`) || strings.Contains(text, `"lan2"`) {
		t.Errorf("up lan1:\n%s", text)
	}
	h.run(exitOK, "up", "lan2")
	if text := strings.Join(h.replyTable(), "\n"); !strings.Contains(text, `"lan1"`) || !strings.Contains(text, `"lan2"`) {
		t.Errorf("up lan2:\n%s", text)
	}
	h.run(exitOK, "down", "lan1")
	if text := strings.Join(h.replyTable(), "\n"); strings.Contains(text, `"lan1"`) || !strings.Contains(text, `"lan2"`) || len(h.replyRules()) != 2 {
		t.Errorf("down lan1: %q\n%s", h.replyRules(), text)
	}
	h.write(h.file, strings.Replace(replyConf, "reply forwarded\n", "", 1))
	h.run(exitOK, "up")
	if rules := h.replyRules(); len(rules) != 0 {
		t.Errorf("without the line forwarded there are the rules %q", rules)
	}
	h.write(h.file, strings.ReplaceAll(replyConf[strings.Index(replyConf, "lan1"):], " masquerade", ""))
	h.run(exitOK, "up")
	if has := h.replyTable(); has != nil {
		t.Errorf("without lines about answers there is a table: %s", has)
	}
}

// The script that plan prints makes the same table, where there is an nft(8).
func TestReplyScript(t *testing.T) {
	h := newHost(t, replyConf)
	out, _ := h.run(exitPending, "-sh", "plan")
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "EOF") && line != "EOF\n" {
			t.Errorf("the end of a here document has more text: %s", line)
		}
	}
	if strings.Count(out, "<<'EOF'") != strings.Count(out, "\nEOF\n") || !strings.Contains(out, "nft -f - <<'EOF'") {
		t.Errorf("%s", out)
	}
}

// If the table cannot be made, the uplinks are not installed either.
func TestReplyFails(t *testing.T) {
	h := newHost(t, replyConf)
	c, err := nft.DialLike(h.conn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = nft.Update(context.Background(), c, nft.Inet, reply.TableName, func(*nft.Contents) (*nft.Batch, error) {
		b := new(nft.Batch)
		b.AddTable(nft.Table{Family: nft.Inet, Name: reply.TableName})
		return b, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	before := h.state()
	_, errs := h.run(exitFailure, "up")
	const want = "uplinks: another program's table of nf_tables has the name of ours: rename it, or delete it with nft(8): table inet policyroute; nothing was changed\n"
	if errs != want {
		t.Errorf("%s\nwant\n%s", errs, want)
	}
	h.unchanged(before)
}

// Run keeps the policy installed, follows a changed file, and removes it with its lines.
func TestReplyRun(t *testing.T) {
	h := newHost(t, replyConf)
	d := h.daemon()
	d.complete()
	d.until("the table", func() bool { return len(h.replyTable()) > 0 })
	d.says("uplink (reply) installed")
	c, err := nft.DialLike(h.conn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b nft.Batch
	b.DeleteTable(nft.Table{Family: nft.Inet, Name: reply.TableName})
	if err := nft.Commit(t.Context(), c, &b); err != nil {
		t.Fatal(err)
	}
	d.says("uplink (reply) repaired: nf_tables changed")
	h.write(h.file, strings.Replace(replyConf, "1194-1199", "1194", 1))
	before := strings.Join(h.replyTable(), "\n")
	h.run(exitOK, "reload")
	if after := strings.Join(h.replyTable(), "\n"); after == before || after == "" {
		t.Errorf("the reload has not changed the table:\n%s", after)
	}
	h.write(h.file, "reply udp 0\n"+replyConf)
	h.run(exitUsage, "reload")
	h.write(h.file, strings.ReplaceAll(replyConf[strings.Index(replyConf, "lan1"):], " masquerade", ""))
	h.run(exitOK, "reload")
	d.says("uplink (reply) removed")
	if has := h.replyTable(); has != nil {
		t.Errorf("without the lines there is a table: %s", has)
	}
	d.end(exitOK)
}

// Status, metrics and check show whether the policy is complete, and how many clients are
// remembered.
func TestReplyStatus(t *testing.T) {
	h := newHost(t, replyConf)
	out, _ := h.run(exitPending, "status")
	if !strings.Contains(out, "answers: absent: reply udp 53 1194-1199; reply forwarded; 0 clients remembered\n") {
		t.Errorf("before up:\n%s", out)
	}
	h.run(exitOK, "up")
	h.net.Addr("g2", "192.168.2.1/24")
	server, err := h.ns.ListenPacket("udp4", "0.0.0.0:1194")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := h.net.Dial(t.Context(), "udp4", "192.168.2.1:0", "192.168.2.2:1194")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := server.ReadFrom(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	out, _ = h.run(exitOK, "status")
	if !strings.Contains(out, "answers: complete: reply udp 53 1194-1199; reply forwarded; 1 client remembered\n") {
		t.Errorf("after up:\n%s", out)
	}
	out, _ = h.run(exitOK, "metrics")
	for _, want := range []string{
		"uplinks_reply_up 1\n", `uplinks_uplink_reply_clients{name="lan1",family="inet"} 0`, `uplinks_uplink_reply_clients{name="lan2",family="inet"} 1`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("metrics do not have %q:\n%s", want, out)
		}
	}
	h.wantCodes("after up", h.codes(""))

	// Another program has deleted the table.
	c, err := nft.DialLike(h.conn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b nft.Batch
	b.DeleteTable(nft.Table{Family: nft.Inet, Name: reply.TableName})
	if err := nft.Commit(t.Context(), c, &b); err != nil {
		t.Fatal(err)
	}
	out, _ = h.run(exitPending, "status")
	if !strings.Contains(out, "\n    up would do: nft -f -\n") {
		t.Errorf("without the table:\n%s", out)
	}
	out, _ = h.run(exitPending, "-json", "status")
	if !strings.Contains(out, `"reply": {`) || !strings.Contains(out, `"state": "absent"`) {
		t.Errorf("without the table:\n%s", out)
	}
	out, _ = h.run(exitOK, "metrics")
	if !strings.Contains(out, "uplinks_reply_up 0\n") {
		t.Errorf("without the table:\n%s", out)
	}
}

// Init proposes lines about answers as comments, for servers on all addresses and published
// ports. Without the comment signs they are valid.
func TestReplyInit(t *testing.T) {
	h := newHost(t, "")
	h.route("add", "default via 192.168.2.1 dev eth1 metric 9")
	if out, _ := h.run(exitOK, "init"); strings.Contains(out, "reply") {
		t.Errorf("without servers:\n%s", out)
	}
	for _, addr := range []string{"0.0.0.0:1194", "[::]:53", "192.168.1.2:443"} {
		server, err := h.ns.ListenPacket("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
	}
	c, err := nft.DialLike(h.conn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b nft.Batch
	b.AddTable(nft.Table{Family: nft.IPv4, Name: "nat"})
	b.AddChain(nft.Chain{Family: nft.IPv4, Table: "nat", Name: "DOCKER"})
	b.AddRule(nft.Rule{Family: nft.IPv4, Table: "nat", Chain: "DOCKER", Exprs: []nft.Expr{
		nft.Immediate{Dest: nft.Reg1, Data: nft.Addr(addr("172.17.0.2"))}, nft.NAT{Type: nft.DestNAT, Family: nft.IPv4, AddrMin: nft.Reg1, AddrMax: nft.Reg1},
	}})
	if err := nft.Commit(t.Context(), c, &b); err != nil {
		t.Fatal(err)
	}
	out, _ := h.run(exitOK, "init")
	for _, want := range []string{"\n# reply udp 53 1194\n", "\n# reply forwarded\n", "# Ports are published (DNAT) in table ip nat chain DOCKER. "} {
		if !strings.Contains(out, want) {
			t.Errorf("init does not have %q:\n%s", want, out)
		}
	}
	file, err := parseConfig("f", strings.ReplaceAll(out, "\n# reply ", "\nreply "))
	if err != nil || len(file.reply.lines()) != 2 || len(file.uplinks) != 2 {
		t.Errorf("%v, %v:\n%s", file.reply.lines(), err, out)
	}
}
