//go:build !linux

package lab

import (
	"errors"
	"os"
)

func enter() error                 { return errors.ErrUnsupported }
func createNS() (int, error)       { return -1, errors.ErrUnsupported }
func openNS(string) (int, error)   { return -1, errors.ErrUnsupported }
func closeFD(int) error            { return errors.ErrUnsupported }
func inNS(int, func() error) error { return errors.ErrUnsupported }
func setMark(int, uint32) error    { return errors.ErrUnsupported }
func flushBacklogs() error         { return errors.ErrUnsupported }
func obeyHold(string)              {}

func openTUN(string, int) (*os.File, error) { return nil, errors.ErrUnsupported }

// A ring is the source of the packets of a Tap. Only Linux has one.
type ring struct{}

func openRing(int) (*ring, error)    { return nil, errors.ErrUnsupported }
func (*ring) drain(func(record))     {}
func (*ring) drops() (uint64, error) { return 0, errors.ErrUnsupported }
func (*ring) Close() error           { return errors.ErrUnsupported }
