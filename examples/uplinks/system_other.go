//go:build !linux

package main

import (
	"errors"
	"net"
	"os"
	"time"
)

// Other systems do not have rtnetlink, so these functions do nothing.

func monotonic() time.Duration { return 0 }

func isStream(*os.File, string) bool { return false }

func terminalSize(*os.File) (columns, rows int, ok bool) { return 0, 0, false }

func countConnections(string, []*entry, time.Duration) error { return errors.ErrUnsupported }

func peerPID(*net.UnixConn) (pid int, err error) { return 0, errors.ErrUnsupported }

func netnsKey(string) (string, error) { return "", errors.ErrUnsupported }

func checkUsable(string) error { return errors.ErrUnsupported }

// A privateDir does not exist here.
type privateDir struct{}

func makePrivateDir(string) (*privateDir, error) { return nil, errors.ErrUnsupported }

func openPrivateDir(string) (*privateDir, error) { return nil, errors.ErrUnsupported }

func (*privateDir) close() {}

func (*privateDir) remove(string) {}

func (*privateDir) takeLock(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func (*privateDir) isLocked(string) (bool, string, error) { return false, "", errors.ErrUnsupported }

func (*privateDir) listen(string) (*net.UnixListener, error) { return nil, errors.ErrUnsupported }

func (*privateDir) dial(string) (*net.UnixConn, error) { return nil, errors.ErrUnsupported }
