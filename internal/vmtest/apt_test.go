package main

import (
	"slices"
	"testing"
)

func TestSourcesFor(t *testing.T) {
	const signed = "deb [signed-by=" + keyring + "] "
	for _, tt := range []struct{ name, targets, want string }{
		{"the suites themselves", `
bookworm http://mirror.example/debian/
bookworm-updates http://mirror.example/debian/
bookworm-security http://mirror.example/security/
nodistro http://other.example/
`, signed + "http://mirror.example/debian/ bookworm main\n" +
			signed + "http://mirror.example/security/ bookworm-security main\n"},
		{"another release, among others, from a list of mirrors", `
stable http://other.example/
trixie-security mirror+file:/etc/apt/security.list
trixie mirror+file:/etc/apt/debian.list
trixie http://second.example/debian/
`, signed + "mirror+file:/etc/apt/debian.list bookworm main\n" +
			signed + "mirror+file:/etc/apt/security.list bookworm-security main\n"},
		{"no security", "trixie http://mirror.example/debian/\n", ""},
		{"nothing", "", ""},
	} {
		got, err := sourcesFor(tt.targets)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: got\n%s%v, want\n%s", tt.name, got, err, tt.want)
		}
	}
}

func TestSortVersions(t *testing.T) {
	want := []string{
		"linux-image-6.1.0-9-cloud-amd64-unsigned",
		"linux-image-6.1.0-47-cloud-amd64-unsigned",
		"linux-image-6.1.0-056-cloud-amd64-unsigned",
		"linux-image-6.12.9+deb12-cloud-amd64-unsigned",
		"linux-image-6.12.107+deb12-cloud-amd64-unsigned",
		"linux-image-6.12.107+deb12.1-cloud-amd64-unsigned",
		"linux-image-6.12.117+deb12-cloud-amd64-unsigned",
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	sortVersions(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if compareVersions("6.1", "6.1") != 0 || compareVersions("6.1", "6.1.2") >= 0 {
		t.Error("a version and itself, or its beginning")
	}
}
