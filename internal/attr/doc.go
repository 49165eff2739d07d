// Package attr encodes and decodes the attributes of netlink messages.
//
// One attribute is one [Row]: its number, the shape of its payload, and where
// in the message's Go value it lives. Encoding, decoding, the length check and
// the name in an error all come from that row, so that the two directions
// cannot drift apart:
//
//	attr.Field(uapi.FRA_TABLE, attr.U32, func(m *message) *rttables.ID { return &m.Table }),
//
// The rows of a message form a [Codec]. What the codec has no row for, it keeps
// as it came and writes back.
package attr
