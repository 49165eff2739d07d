package route

import "fmt"

// Opt is an optional value, for fields whose zero has a meaning of its own: a route
// that expires in 0 seconds is not a route that never expires. The zero Opt is
// unset. Opts compare with ==.
//
// [Some] makes an Opt from a typed value. [Uint8], [Uint32] and [Uint64] make an Opt
// from a plain number:
//
//	route.Route{Preference: route.Some(route.PrefHigh), Expires: route.Uint32(60)}
type Opt[T comparable] struct {
	v   T
	set bool
}

// Some returns an Opt that is set to v. The type of v determines the type of the Opt.
// For an untyped constant that is int, so use [Uint8], [Uint32] or [Uint64] for a
// number.
func Some[T comparable](v T) Opt[T] { return Opt[T]{v, true} }

// Uint8 returns an Opt that is set to v.
func Uint8(v uint8) Opt[uint8] { return Some(v) }

// Uint32 returns an Opt that is set to v.
func Uint32(v uint32) Opt[uint32] { return Some(v) }

// Uint64 returns an Opt that is set to v.
func Uint64(v uint64) Opt[uint64] { return Some(v) }

// Get returns the value, and whether o is set.
func (o Opt[T]) Get() (v T, ok bool) { return o.v, o.set }

// Or returns the value, or def if o is unset.
func (o Opt[T]) Or(def T) T {
	if o.set {
		return o.v
	}
	return def
}

// IsSet reports whether o is set.
func (o Opt[T]) IsSet() bool { return o.set }

// Set sets o to v.
func (o *Opt[T]) Set(v T) { *o = Some(v) }

// String returns the value as [fmt.Sprint] does, or "unset".
func (o Opt[T]) String() string {
	if o.set {
		return fmt.Sprint(o.v)
	}
	return "unset"
}
