//go:build !linux

package rttables

import "errors"

func hold(string) error    { return errors.ErrUnsupported }
func useDisk(string) error { return errors.ErrUnsupported }
