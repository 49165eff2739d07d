package route

import (
	"encoding/hex"
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// An EncapSeg6Local says what to do with packets that have a segment routing header and
// are sent to the address of the route: encap seg6local of ip-route(8). That manual
// page says which fields each action uses. Linux 4.14.
type EncapSeg6Local struct {
	// Action says what to do with a packet: action. (SEG6_LOCAL_ACTION)
	Action Seg6Action
	// SRH is a header that the packet gets: srh segs, hmac. (SEG6_LOCAL_SRH)
	SRH SRH
	// Table is the table in which the next segment or the inner packet is looked
	// up: table. Unset: none. (SEG6_LOCAL_TABLE)
	Table Opt[rttables.ID]
	// VRFTable is the table of a VRF in which the inner packet is looked up:
	// vrftable. Unset: none. Linux 5.11. (SEG6_LOCAL_VRFTABLE)
	VRFTable Opt[rttables.ID]
	// NH4 and NH6 are the next router of the inner packet: nh4, nh6.
	// (SEG6_LOCAL_NH4, SEG6_LOCAL_NH6)
	NH4, NH6 netip.Addr
	// IIF is the index of the interface that the packet appears to come from:
	// iif. Zero: none. (SEG6_LOCAL_IIF)
	IIF uint32
	// OIF is the index of the interface that the packet leaves by: oif. Zero: none.
	// (SEG6_LOCAL_OIF)
	OIF uint32
	// Counters count the packets: count. Unset: packets are not counted. Linux
	// 5.13. (SEG6_LOCAL_COUNTERS)
	Counters Opt[Seg6Counters]
	// Flavors are variants of the action: flavors. Linux 6.1.
	// (SEG6_LOCAL_FLAVORS)
	Flavors Seg6Flavors
	// Unknown holds the attributes that this package has no field for,
	// including the BPF program of End.BPF (SEG6_LOCAL_BPF).
	Unknown Attributes
}

// A Seg6Action says what to do with a packet: SEG6_LOCAL_ACTION_* of
// linux/seg6_local.h.
type Seg6Action uint32

// The actions that kernels implement, in the words of ip-route(8).
const (
	Seg6End         Seg6Action = uapi.SEG6_LOCAL_ACTION_END          // End: to the next segment
	Seg6EndX        Seg6Action = uapi.SEG6_LOCAL_ACTION_END_X        // End.X: to the next segment, through NH6
	Seg6EndT        Seg6Action = uapi.SEG6_LOCAL_ACTION_END_T        // End.T: to the next segment, looked up in Table
	Seg6EndDX2      Seg6Action = uapi.SEG6_LOCAL_ACTION_END_DX2      // End.DX2: the inner frame out of OIF
	Seg6EndDX6      Seg6Action = uapi.SEG6_LOCAL_ACTION_END_DX6      // End.DX6: the inner packet to NH6
	Seg6EndDX4      Seg6Action = uapi.SEG6_LOCAL_ACTION_END_DX4      // End.DX4: the inner packet to NH4
	Seg6EndDT6      Seg6Action = uapi.SEG6_LOCAL_ACTION_END_DT6      // End.DT6: the inner packet by Table or VRFTable
	Seg6EndDT4      Seg6Action = uapi.SEG6_LOCAL_ACTION_END_DT4      // End.DT4: the inner packet by VRFTable; Linux 5.11
	Seg6EndB6       Seg6Action = uapi.SEG6_LOCAL_ACTION_END_B6       // End.B6: SRH goes into the packet
	Seg6EndB6Encaps Seg6Action = uapi.SEG6_LOCAL_ACTION_END_B6_ENCAP // End.B6.Encaps: SRH goes around the packet
	Seg6EndBPF      Seg6Action = uapi.SEG6_LOCAL_ACTION_END_BPF      // End.BPF: a program decides; Linux 4.18
	Seg6EndDT46     Seg6Action = uapi.SEG6_LOCAL_ACTION_END_DT46     // End.DT46: the inner packet by VRFTable; Linux 5.14
)

var seg6Actions = iptext.Enum{
	{N: uapi.SEG6_LOCAL_ACTION_END, Name: "End"},
	{N: uapi.SEG6_LOCAL_ACTION_END_X, Name: "End.X"},
	{N: uapi.SEG6_LOCAL_ACTION_END_T, Name: "End.T"},
	{N: uapi.SEG6_LOCAL_ACTION_END_DX2, Name: "End.DX2"},
	{N: uapi.SEG6_LOCAL_ACTION_END_DX6, Name: "End.DX6"},
	{N: uapi.SEG6_LOCAL_ACTION_END_DX4, Name: "End.DX4"},
	{N: uapi.SEG6_LOCAL_ACTION_END_DT6, Name: "End.DT6"},
	{N: uapi.SEG6_LOCAL_ACTION_END_DT4, Name: "End.DT4"},
	{N: uapi.SEG6_LOCAL_ACTION_END_B6, Name: "End.B6"},
	{N: uapi.SEG6_LOCAL_ACTION_END_B6_ENCAP, Name: "End.B6.Encaps"},
	{N: uapi.SEG6_LOCAL_ACTION_END_BM, Name: "End.BM"},
	{N: uapi.SEG6_LOCAL_ACTION_END_S, Name: "End.S"},
	{N: uapi.SEG6_LOCAL_ACTION_END_AS, Name: "End.AS"},
	{N: uapi.SEG6_LOCAL_ACTION_END_AM, Name: "End.AM"},
	{N: uapi.SEG6_LOCAL_ACTION_END_BPF, Name: "End.BPF"},
	{N: uapi.SEG6_LOCAL_ACTION_END_DT46, Name: "End.DT46"},
}

// String returns the name that ip(8) has for a, such as End.DX4, or its number.
func (a Seg6Action) String() string { return iptext.NameOf(seg6Actions, a) }

// MarshalText returns what String does.
func (a Seg6Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what String returns, or any number of 32 bits.
func (a *Seg6Action) UnmarshalText(text []byte) error {
	return iptext.UnmarshalName(seg6Actions, 32, "route", "an action", text, a)
}

// inline reports whether the action puts a header into the packet itself.
func (a Seg6Action) inline() bool { return a != Seg6EndB6Encaps }

// A seg6Local is an EncapSeg6Local that is being encoded or decoded. How its
// header is decoded depends on the action, whose attribute can come later.
type seg6Local struct {
	EncapSeg6Local
	srh string
}

var seg6LocalCodec = attr.NewCodec(func(e *seg6Local) *Attributes { return &e.Unknown },
	attr.KeepZero(attr.Field(uapi.SEG6_LOCAL_ACTION, attr.U32, func(e *seg6Local) *Seg6Action { return &e.Action })),
	attr.Func(uapi.SEG6_LOCAL_SRH,
		func(b []byte, e *seg6Local) ([]byte, bool, error) {
			if e.SRH == (SRH{}) {
				return b, false, nil
			}
			b, err := e.SRH.append(b, e.Action.inline())
			return b, true, err
		},
		func(p []byte, e *seg6Local) error {
			e.srh = string(p)
			return nil
		}),
	attr.OptField(uapi.SEG6_LOCAL_TABLE, attr.U32, func(e *seg6Local) *Opt[rttables.ID] { return &e.Table }),
	addressOf(uapi.SEG6_LOCAL_NH4, IPv4, func(e *seg6Local) *netip.Addr { return &e.NH4 }),
	addressOf(uapi.SEG6_LOCAL_NH6, IPv6, func(e *seg6Local) *netip.Addr { return &e.NH6 }),
	attr.KeepZero(attr.Field(uapi.SEG6_LOCAL_IIF, attr.U32, func(e *seg6Local) *uint32 { return &e.IIF })),
	attr.KeepZero(attr.Field(uapi.SEG6_LOCAL_OIF, attr.U32, func(e *seg6Local) *uint32 { return &e.OIF })),
	attr.OptField(uapi.SEG6_LOCAL_VRFTABLE, attr.U32, func(e *seg6Local) *Opt[rttables.ID] { return &e.VRFTable }),
	attr.Nested(attr.Func(uapi.SEG6_LOCAL_COUNTERS, putSeg6Counters, getSeg6Counters)),
	attr.Nested(attr.Func(uapi.SEG6_LOCAL_FLAVORS,
		func(b []byte, e *seg6Local) ([]byte, bool, error) {
			if e.Flavors == (Seg6Flavors{}) {
				return b, false, nil
			}
			b, err := seg6FlavorCodec.Append(b, &e.Flavors)
			return b, true, err
		},
		func(p []byte, e *seg6Local) error {
			e.Flavors = Seg6Flavors{}
			return seg6FlavorCodec.Decode(p, &e.Flavors)
		})),
)

func decodeEncapSeg6Local(p []byte) (Encap, error) {
	e := seg6LocalCodec.Borrow()
	defer seg6LocalCodec.Return(e)
	if err := seg6LocalCodec.Decode(p, e); err != nil {
		return nil, err
	}
	if e.srh != "" {
		e.SRH = decodeSRH(e.srh, e.Action.inline())
	}
	return e.EncapSeg6Local, nil
}

// Type returns EncapTypeSeg6Local.
func (e EncapSeg6Local) Type() EncapType { return EncapTypeSeg6Local }

// String returns the words of ip-route(8): seg6local action End.DX4 nh4 192.0.2.1.
func (e EncapSeg6Local) String() string { return encapString(e, nil) }

func (e EncapSeg6Local) append(b []byte) ([]byte, error) {
	return seg6LocalCodec.Append(b, &seg6Local{EncapSeg6Local: e})
}

// canonical sets the counters to zero, and the lengths to their defaults.
func (e EncapSeg6Local) canonical() Encap {
	if e.Counters.IsSet() {
		e.Counters = Some(Seg6Counters{})
	}
	if f := &e.Flavors; f.Ops&Seg6NextCSID != 0 {
		f.LBLen, f.NFLen = Some(f.LBLen.Or(32)), Some(f.NFLen.Or(16))
	}
	return e
}

// words is not complete if counters are not zero, or if there are lengths without
// next-csid.
func (e EncapSeg6Local) words(n *Names) ([]string, bool) {
	var p iptext.Printer
	seg6LocalWords.Print(&p, &seg6LocalText{EncapSeg6Local: e, names: n})
	names, rest := seg6FlavorNames.Names(uint32(e.Flavors.Ops))
	complete := e.Action != 0 && rest == 0 && e.Counters.Or(Seg6Counters{}) == (Seg6Counters{}) &&
		e.Flavors.Unknown == "" && e.Unknown == "" &&
		(e.Flavors.Ops&Seg6NextCSID != 0 || !e.Flavors.LBLen.IsSet() && !e.Flavors.NFLen.IsSet()) &&
		(len(names) > 0 || e.Flavors == (Seg6Flavors{}))
	return []string{p.String()}, complete
}

// A seg6LocalText is an EncapSeg6Local that is being parsed or printed.
type seg6LocalText struct {
	EncapSeg6Local
	names *Names
	raw   string // the header in bytes
}

func parseEncapSeg6Local(w *iptext.Words, n *Names) (Encap, error) {
	e := seg6LocalText{names: n}
	if err := parseWords(w, seg6LocalWords, &e); err != nil {
		return nil, err
	}
	if e.Action == 0 {
		return nil, w.Errorf("no action")
	}
	if e.raw != "" {
		e.SRH = decodeSRH(e.raw, e.Action.inline())
	}
	return e.EncapSeg6Local, nil
}

// seg6LocalWords are the words of encap seg6local in ip(8)'s order.
var seg6LocalWords = iptext.Table[seg6LocalText]{
	{Names: []string{"action"},
		Parse: func(w *iptext.Words, e *seg6LocalText) error { return iptext.ArgText(w, "an action", &e.Action) },
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if e.Action != 0 {
				p.Put("action", e.Action.String())
			}
		}},
	{Names: []string{"srh"},
		Parse: func(w *iptext.Words, e *seg6LocalText) error {
			if !w.Accept("segs") {
				_, err := w.Arg("segs")
				if err == nil {
					err = w.Errorf("not segs")
				}
				return err
			}
			err := argSegments(w, &e.SRH.Segs)
			if err == nil && w.Accept("hmac") {
				e.SRH.HMAC, err = iptext.ArgUint[uint32](w, "a key", 32)
			}
			if err == nil && e.raw != "" {
				err = w.Errorf(errRawSRH)
			}
			return err
		},
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if e.SRH != (SRH{}) && e.SRH.Raw == "" {
				p.Put("srh")
				p.Put(e.SRH.words()...)
			}
		}},
	{Names: []string{rawSRHWord},
		Parse: func(w *iptext.Words, e *seg6LocalText) (err error) {
			e.raw, err = argHex(w, "a header")
			if err == nil && e.SRH != (SRH{}) {
				err = w.Errorf(errRawSRH)
			}
			return err
		},
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if e.SRH.Raw != "" {
				p.Put(rawSRHWord, hex.EncodeToString([]byte(e.SRH.Raw)))
			}
		}},
	seg6Table("table", func(e *seg6LocalText) *Opt[rttables.ID] { return &e.Table }),
	seg6Table("vrftable", func(e *seg6LocalText) *Opt[rttables.ID] { return &e.VRFTable }),
	seg6Addr("nh4", IPv4, func(e *seg6LocalText) *netip.Addr { return &e.NH4 }),
	seg6Addr("nh6", IPv6, func(e *seg6LocalText) *netip.Addr { return &e.NH6 }),
	seg6Link("iif", func(e *seg6LocalText) *uint32 { return &e.IIF }),
	seg6Link("oif", func(e *seg6LocalText) *uint32 { return &e.OIF }),
	{Names: []string{"count"},
		Parse: func(_ *iptext.Words, e *seg6LocalText) error {
			e.Counters.Set(Seg6Counters{})
			return nil
		},
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if e.Counters.IsSet() {
				p.Put("count")
			}
		}},
	{Names: []string{"flavors"}, Parse: parseFlavorWords, Print: printFlavorWords},
}

func seg6Table(name string, at func(*seg6LocalText) *Opt[rttables.ID]) iptext.Word[seg6LocalText] {
	return iptext.Word[seg6LocalText]{
		Names: []string{name},
		Parse: func(w *iptext.Words, e *seg6LocalText) error {
			var t rttables.ID
			err := argTable(w, e.names, &t)
			if err == nil {
				at(e).Set(t)
			}
			return err
		},
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if t, ok := at(e).Get(); ok {
				p.Put(name, e.names.FileNames().Name(t))
			}
		},
	}
}

func seg6Addr(name string, f Family, at func(*seg6LocalText) *netip.Addr) iptext.Word[seg6LocalText] {
	return iptext.Word[seg6LocalText]{
		Names: []string{name},
		Parse: func(w *iptext.Words, e *seg6LocalText) error {
			own := f
			return argAddr(w, &own, at(e))
		},
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if a := *at(e); a.IsValid() {
				p.Put(name, a.String())
			}
		},
	}
}

func seg6Link(name string, at func(*seg6LocalText) *uint32) iptext.Word[seg6LocalText] {
	return iptext.Word[seg6LocalText]{
		Names: []string{name},
		Parse: func(w *iptext.Words, e *seg6LocalText) error {
			return iptext.ArgLink(w, e.names.LinkNames(), at(e))
		},
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if index := *at(e); index != 0 {
				p.Put(name, e.names.LinkNames().Name(index))
			}
		},
	}
}
