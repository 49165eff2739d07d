package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// suites have the kernels: Debian 12 has had 6.1 since its release, and 6.12
// since its time of long support began. Each is found on the mirror of the
// suite that the host itself uses, whichever that is.
var suites = []string{"bookworm", "bookworm-security"}

// keyring has the keys that sign the suites.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// private is an apt of our own: its sources, lists and caches are files below
// dir, so the host's stay as they are and no root is needed.
type private struct {
	dir  string
	conf string
}

// newPrivate makes the files of a private apt, and fetches the lists.
func newPrivate(ctx context.Context, dir string) (*private, error) {
	if _, err := os.Stat(keyring); err != nil {
		return nil, fmt.Errorf("%w: install debian-archive-keyring", err)
	}
	targets, err := output(ctx, "", "apt-get", "indextargets",
		"--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return nil, err
	}
	sources, err := sourcesFor(targets)
	if err != nil {
		return nil, err
	}
	p := &private{dir: dir, conf: filepath.Join(dir, "apt.conf")}
	for _, sub := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	for name, content := range map[string]string{
		"apt.conf": aptConf(dir), "sources.list": sources, "state/status": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	_, err = p.get(ctx, "", "update", "-qq")
	return p, err
}

// aptConf says where everything is. It is read after the host's configuration,
// of which it keeps what reaching the mirror may need, such as a proxy, but not
// the commands to run after an update.
func aptConf(dir string) string {
	return fmt.Sprintf(`Dir::State "%[1]s/state";
Dir::State::status "%[1]s/state/status";
Dir::Cache "%[1]s/cache";
Dir::Etc::SourceList "%[1]s/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
APT::Architecture "amd64";
APT::Sandbox::User "root";
Acquire::Languages "none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
`, dir)
}

// sourcesFor returns a sources.list for the suites. Its argument is the host's
// sources, lines of suite and address, among which the archive is what has both
// a suite and, perhaps elsewhere, that suite's security updates.
func sourcesFor(targets string) (string, error) {
	const security = "-security"
	address := map[string]string{}
	for line := range strings.Lines(targets) {
		if f := strings.Fields(line); len(f) == 2 && address[f[0]] == "" {
			address[f[0]] = f[1]
		}
	}
	for line := range strings.Lines(targets) {
		f := strings.Fields(line)
		if len(f) != 2 || address[f[0]+security] == "" {
			continue
		}
		var b strings.Builder
		for _, suite := range suites {
			uri := address[f[0]]
			if strings.HasSuffix(suite, security) {
				uri = address[f[0]+security]
			}
			fmt.Fprintf(&b, "deb [signed-by=%s] %s %s main\n", keyring, uri, suite)
		}
		return b.String(), nil
	}
	return "", errors.New("apt's sources have no Debian suite with its security updates")
}

// kernels returns the packages of the kernels of a series such as 6.1, the
// newest last.
func (p *private) kernels(ctx context.Context, series string) ([]string, error) {
	pattern := `^linux-image-` + regexp.QuoteMeta(series) + `\..*-cloud-amd64-unsigned$`
	out, err := output(ctx, "", "apt-cache", "-c", p.conf, "search", "--names-only", pattern)
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(out) {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no kernel %s for the cloud in %s", series, strings.Join(suites, " or "))
	}
	sortVersions(names)
	return names, nil
}

// fetch downloads a package, whose signed checksum apt compares, and unpacks it
// in dir without installing it.
func (p *private) fetch(ctx context.Context, name, dir string) error {
	if _, err := p.get(ctx, dir, "download", "-qq", name); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	if len(debs) != 1 {
		return fmt.Errorf("apt-get download %s: %d files, want 1", name, len(debs))
	}
	if _, err := output(ctx, dir, "dpkg-deb", "-x", debs[0], dir); err != nil {
		return err
	}
	return os.Remove(debs[0])
}

func (p *private) get(ctx context.Context, dir string, args ...string) (string, error) {
	return output(ctx, dir, "apt-get", append([]string{"-c", p.conf}, args...)...)
}

// output runs a command and returns what it prints; its error has what it says
// about it.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	// apt's own children have the output too, and may outlive it when it is killed.
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, args[0], err, stderr.Bytes(), stdout.Bytes())
	}
	return stdout.String(), nil
}
