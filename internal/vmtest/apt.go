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

// suites are the suites with the kernels: Debian 12 has 6.1 since its release, and 6.12 since
// the beginning of its long-term support. They are fetched from the mirror that the host
// uses.
var suites = []string{"bookworm", "bookworm-security"}

// keyring is the file with the keys that sign the suites.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// A privateApt is apt with its own sources, lists and caches, which are files below dir. It
// does not change those of the host, and needs no root.
type privateApt struct {
	dir  string
	conf string
}

// newPrivateApt makes the files of a private apt, and fetches the lists.
func newPrivateApt(ctx context.Context, dir string) (*privateApt, error) {
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
	p := &privateApt{dir: dir, conf: filepath.Join(dir, "apt.conf")}
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

// aptConf returns the configuration of a private apt. apt reads it after the configuration of
// the host. So settings that the mirror may need, such as a proxy, remain, but the commands
// to run after an update are removed.
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

// sourcesFor returns a sources.list for the suites. Its argument is the sources of the host, as
// lines of suite and address. It takes the address of the first suite that also has a suite of
// security updates, which can have another address.
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

// kernels returns the packages with kernels of a series such as 6.1, the newest last.
func (p *privateApt) kernels(ctx context.Context, series string) ([]string, error) {
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

// fetch downloads a package, and unpacks it in dir without installing it. apt verifies the
// signed checksum.
func (p *privateApt) fetch(ctx context.Context, name, dir string) error {
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

func (p *privateApt) get(ctx context.Context, dir string, args ...string) (string, error) {
	return output(ctx, dir, "apt-get", append([]string{"-c", p.conf}, args...)...)
}

// output runs a command, and returns its standard output. The error has both outputs.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	// Children of apt have the output open too, and can outlive it when it is killed.
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
