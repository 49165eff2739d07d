// Package attr encodes and decodes the attributes of netlink messages.
//
// One attribute is one [Row]: its type, the kind of its payload, and its place in the
// Go value of the message. Encoding, decoding, the check of the length and the name
// in an error all use that row, so encoding and decoding cannot differ:
//
//	attr.Field(uapi.FRA_TABLE, attr.U32, func(m *message) *rttables.ID { return &m.Table }),
//
// The rows of a message form a [Codec]. It keeps attributes that have no row, and
// writes them back unchanged.
package attr
