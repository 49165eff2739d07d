package nft

import "syscall"

// errRestart is the kernel's answer to a batch that is based on an old generation.
const errRestart = syscall.ERESTART
