package lab

import (
	"os"

	"golang.org/x/sys/unix"
)

// openTUN makes a tun interface in the namespace of the calling thread, which the kernel
// takes from the thread that opens the file. linkType is the type of its hardware, ARPHRD_*;
// zero: the kernel's choice.
func openTUN(name string, linkType int) (*os.File, error) {
	const path = "/dev/net/tun"
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("TUNSETIFF", err)
	}
	if linkType != 0 {
		if err := unix.IoctlSetInt(fd, unix.TUNSETLINK, linkType); err != nil {
			unix.Close(fd)
			return nil, os.NewSyscallError("TUNSETLINK", err)
		}
	}
	// Before TUNSETIFF the file would report an error to the poller of the runtime.
	return os.NewFile(uintptr(fd), path), nil
}
