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
	statusFailed  = 1   // the command failed before the kernel was asked
	statusRefused = 2   // the kernel refused
	statusUsage   = 255 // the command line is wrong
)

// A failure is the error of a command.
type failure struct {
	status int
	text   string // the message of ip(8); can have several lines
	// fatal is set if ip(8) exits at once, even in a batch with -force.
	fatal bool
	// cause is the error of the kernel or of the system, or nil.
	cause error
}

func (f *failure) Error() string { return f.text }

func (f *failure) Unwrap() error { return f.cause }

// failf returns a failure after which a batch with -force continues.
func failf(status int, format string, args ...any) error {
	return &failure{status: status, text: fmt.Sprintf(format, args...)}
}

// fatalf returns a failure that ends a batch.
func fatalf(status int, format string, args ...any) error {
	return &failure{status: status, text: fmt.Sprintf(format, args...), fatal: true}
}

// usageFailure returns the failure whose message is a help text.
func usageFailure(help string) error {
	return fatalf(statusUsage, "%s", strings.TrimSuffix(help, "\n"))
}

// wrongArg returns the failure for an argument that is not valid.
func wrongArg(arg, why string) error {
	return fatalf(statusUsage, `Error: argument "%s" is wrong: %s`, arg, why)
}

// missingWord returns the failure for a command line that ends too early.
func missingWord() error {
	return fatalf(statusUsage, `Command line is not complete. Try option "help"`)
}

func noDevice(name string) error { return failf(statusFailed, `Cannot find device "%s"`, name) }

func prefixExpected(f route.Family, arg string) error {
	return fatalf(statusFailed, `Error: %s prefix is expected rather than "%s".`, familyName(f), arg)
}

func addressExpected(f route.Family, arg string) error {
	return fatalf(statusFailed, `Error: %s address is expected rather than "%s".`, familyName(f), arg)
}

// familyName returns the name of a family in messages of ip(8).
func familyName(f route.Family) string {
	if f == 0 {
		return "any valid"
	}
	return f.String()
}

// kernelFailure returns the failure for an error of a request, or nil if err is nil.
func kernelFailure(err error) error {
	if err == nil {
		return nil
	}
	return &failure{status: statusRefused, text: kernelText(err), cause: err}
}

// kernelText returns the message of ip(8) for an error of the kernel: the text that the
// kernel sent or, without one, the text of the error number.
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

// report prints the error of a command, and returns the exit status.
func (p *program) report(err error) int {
	if err == nil {
		return 0
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{status: statusFailed, text: err.Error()}
	}
	if f.text != "" {
		p.warnf("%s", f.text)
	}
	return f.status
}

// warnf writes a line to standard error.
func (p *program) warnf(format string, args ...any) {
	fmt.Fprintf(p.err, format+"\n", args...)
}
