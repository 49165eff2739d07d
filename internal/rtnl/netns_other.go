//go:build !linux

package rtnl

// NetNS fails with errors.ErrUnsupported.
func NetNS(Executor) (int, error) { return 0, errNoNetlink }

// SubscribeLike fails with errors.ErrUnsupported.
func SubscribeLike(Executor, ...uint32) (*Subscription, error) { return nil, errNoNetlink }

// SubscribeNetfilterLike fails with errors.ErrUnsupported.
func SubscribeNetfilterLike(Executor, ...uint32) (*Subscription, error) { return nil, errNoNetlink }

// DialNetfilterLike fails with errors.ErrUnsupported.
func DialNetfilterLike(Executor) (*Conn, error) { return nil, errNoNetlink }

// Inside fails with errors.ErrUnsupported.
func Inside(Executor, func() error) error { return errNoNetlink }

// IsNetNS fails with errors.ErrUnsupported.
func IsNetNS(Executor, string) (bool, error) { return false, errNoNetlink }
