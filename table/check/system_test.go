package check

import (
	"testing"
	"testing/fstest"
)

// The kernel's settings, as they stand in /proc/sys/net/ipv4.
func TestReadConf(t *testing.T) {
	root := fstest.MapFS{
		"conf/all/rp_filter":      file("1\n"),
		"conf/all/src_valid_mark": file("0\n"),
		"conf/u2/rp_filter":       file("2\n"),
		"conf/u2/src_valid_mark":  file("1\n"),
		"ip_local_port_range":     file("32768\t60999\n"),
	}
	conf, err := readConf(root)
	if err != nil || conf["u2"] != (ipv4Conf{2, 1}) || conf["all"] != (ipv4Conf{1, 0}) || len(conf) != 2 {
		t.Errorf("got %v, %v", conf, err)
	}
	ports, err := readEphemeral(root)
	if err != nil || ports != [2]uint16{32768, 60999} {
		t.Errorf("got %v, %v", ports, err)
	}
	for name, text := range map[string]string{"conf/u2/rp_filter": "x", "ip_local_port_range": "99999 5"} {
		root[name] = file(text)
	}
	if _, err := readConf(root); err == nil {
		t.Error("a setting that is no number")
	}
	if _, err := readEphemeral(root); err == nil {
		t.Error("a port that is none")
	}
	if _, err := readConf(fstest.MapFS{}); err == nil {
		t.Error("no settings")
	}
}
