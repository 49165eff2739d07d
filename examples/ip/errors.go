package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
)

// Exit statuses of ip(8).
const (
	statusFailed  = 1   // it was not done
	statusRefused = 2   // the kernel did not do it
	statusUsage   = 255 // the words are wrong
)

// A failure is why a command was not done.
type failure struct {
	status int
	text   string // what ip(8) says about it; may be of several lines
	// ends is set where ip(8) exits at once, also in a batch with -force.
	ends bool
	// cause is the error of the kernel, if there is one.
	cause error
}

func (f *failure) Error() string { return f.text }

func (f *failure) Unwrap() error { return f.cause }

// fail is a failure after which a batch can go on.
func fail(status int, format string, args ...any) error {
	return &failure{status: status, text: fmt.Sprintf(format, args...)}
}

// fatal is one after which it cannot.
func fatal(status int, format string, args ...any) error {
	return &failure{status: status, text: fmt.Sprintf(format, args...), ends: true}
}

// usage is the failure that shows what words there are.
func usage(help string) error { return fatal(statusUsage, "%s", strings.TrimSuffix(help, "\n")) }

// wrong is the failure for a word that stands where it cannot be.
func wrong(arg, why string) error {
	return fatal(statusUsage, `Error: argument "%s" is wrong: %s`, arg, why)
}

// incomplete is the failure for a word that is missing.
func incomplete() error {
	return fatal(statusUsage, `Command line is not complete. Try option "help"`)
}

func noDevice(name string) error { return fail(statusFailed, `Cannot find device "%s"`, name) }

func notPrefix(f route.Family, arg string) error {
	return fatal(statusFailed, `Error: %s prefix is expected rather than "%s".`, familyName(f), arg)
}

func notAddress(f route.Family, arg string) error {
	return fatal(statusFailed, `Error: %s address is expected rather than "%s".`, familyName(f), arg)
}

// familyName is what ip(8) calls a family in messages.
func familyName(f route.Family) string {
	if f == 0 {
		return "any valid"
	}
	return f.String()
}

// refused is the failure of a request.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return &failure{status: statusRefused, text: kernelText(err), cause: err}
}

// kernelText is what ip(8) says about a refusal: the kernel's words, or without
// any those for the error number.
func kernelText(err error) string {
	var op *netlink.OpError
	switch {
	case errors.As(err, &op) && op.Message != "":
		return "Error: " + strings.TrimSuffix(op.Message, ".") + "."
	case errors.As(err, new(syscall.Errno)):
		return "RTNETLINK answers: " + errnoText(err)
	}
	return "Error: " + err.Error() + "."
}

// report says why a command failed, and returns the exit status.
func (p *program) report(err error) int {
	if err == nil {
		return 0
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{status: statusFailed, text: err.Error()}
	}
	if f.text != "" {
		p.warn("%s", f.text)
	}
	return f.status
}

// warn writes a line to standard error.
func (p *program) warn(format string, args ...any) {
	fmt.Fprintf(p.err, format+"\n", args...)
}
