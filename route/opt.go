package route

// Opt is a value or nothing, for fields whose zero has a meaning of its own:
// suppress_prefixlength 0 is not the same as no suppressor. The zero Opt is
// nothing.
type Opt[T comparable] struct {
	v   T
	set bool
}

// Some returns an Opt that holds v.
func Some[T comparable](v T) Opt[T] { return Opt[T]{v, true} }

// Get returns the value, and whether there is one.
func (o Opt[T]) Get() (v T, ok bool) { return o.v, o.set }

// Or returns the value, or def where there is none.
func (o Opt[T]) Or(def T) T {
	if o.set {
		return o.v
	}
	return def
}

// IsSet reports whether o holds a value.
func (o Opt[T]) IsSet() bool { return o.set }

// Set makes o hold v.
func (o *Opt[T]) Set(v T) { *o = Opt[T]{v, true} }
