package nft

import (
	"fmt"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// An Expr is an expression of a rule. Expressions are values that can be compared
// with ==.
type Expr interface {
	// Name returns the kernel's name of the expression: "meta", "payload".
	Name() string
	// String returns the text of "nft --debug=netlink": "meta load mark => reg 1".
	String() string

	// payload appends the attributes of the expression.
	payload(b []byte) ([]byte, error)
	// canonical returns the expression as the kernel reports it, without counts.
	canonical() Expr
}

// A Raw is an expression that has no type here.
type Raw struct {
	Expr string // its name
	Data string // its attributes
}

// Name returns the kernel's name of the expression.
func (r Raw) Name() string { return r.Expr }

// String returns the name and the attributes in hexadecimal digits.
func (r Raw) String() string {
	if r.Data == "" {
		return r.Expr
	}
	return fmt.Sprintf("%s %x", r.Expr, r.Data)
}

func (r Raw) payload(b []byte) ([]byte, error) { return append(b, r.Data...), nil }
func (r Raw) canonical() Expr                  { return r }

// encode writes the attributes of an expression.
func encode[E any](c *attr.Codec[E], b []byte, e E) ([]byte, error) {
	m := c.BorrowUsed()
	defer c.ReturnUsed(m)
	*m = e
	return c.Append(b, m)
}

// decodeAs reads the attributes of an expression.
func decodeAs[E Expr](c *attr.Codec[E], p []byte) (Expr, error) {
	m := c.Borrow()
	defer c.Return(m)
	err := c.Decode(p, m)
	return *m, err
}

// decodeExpr reads the expression with a name.
func decodeExpr(name string, p []byte) (Expr, error) {
	switch name {
	case "meta":
		return decodeAs(metaCodec, p)
	case "ct":
		return decodeAs(ctCodec, p)
	case "payload":
		return decodeAs(payloadCodec, p)
	case "fib":
		return decodeAs(fibCodec, p)
	case "cmp":
		return decodeAs(cmpCodec, p)
	case "range":
		return decodeAs(rangeCodec, p)
	case "bitwise":
		return decodeAs(bitwiseCodec, p)
	case "immediate":
		return decodeAs(immediateCodec, p)
	case "lookup":
		return decodeAs(lookupCodec, p)
	case "dynset":
		return decodeAs(dynsetCodec, p)
	case "nat":
		return decodeAs(natCodec, p)
	case "masq":
		return decodeAs(masqCodec, p)
	case "redir":
		return decodeAs(redirCodec, p)
	case "counter":
		return decodeAs(counterCodec, p)
	case "target":
		return decodeAs(targetCodec, p)
	case "match":
		return decodeAs(matchCodec, p)
	case "notrack":
		if len(p) == 0 {
			return Notrack{}, nil
		}
	}
	return Raw{name, string(p)}, nil
}

// appendExprs appends a list of expressions.
func appendExprs(b []byte, exprs []Expr) ([]byte, error) {
	var member, data []byte
	for i, e := range exprs {
		var err error
		if data, err = e.payload(data[:0]); err != nil {
			return b, fmt.Errorf("expression %d (%s): %w", i+1, e.Name(), err)
		}
		member = append(member[:0], e.Name()...)
		member = attr.Append(nil, uint16(uapi.NFTA_EXPR_NAME), append(member, 0))
		if len(data) > attr.MaxPayload {
			return b, fmt.Errorf("expression %d (%s): %d bytes do not fit into an attribute", i+1, e.Name(), len(data))
		}
		if len(data) > 0 || !isBare(e) {
			member = attr.AppendNested(member, uapi.NFTA_EXPR_DATA, data)
		}
		if b, err = appendMember(b, member); err != nil {
			return b, fmt.Errorf("expression %d (%s): %w", i+1, e.Name(), err)
		}
	}
	return b, nil
}

// isBare reports whether an expression without attributes has no NFTA_EXPR_DATA.
func isBare(e Expr) bool {
	switch e.(type) {
	case Notrack, Raw:
		return true
	}
	return false
}

// decodeExprs reads a list of expressions.
func decodeExprs(p []byte) ([]Expr, error) {
	var exprs []Expr
	err := members(p, func(member []byte) error {
		named, ok := attr.First(member, uapi.NFTA_EXPR_NAME)
		if !ok {
			return fmt.Errorf("expression %d has no name", len(exprs)+1)
		}
		name, err := text[string]().Decode(named)
		if err != nil {
			return err
		}
		data, _ := attr.First(member, uapi.NFTA_EXPR_DATA)
		e, err := decodeExpr(name, data)
		if err != nil {
			return fmt.Errorf("expression %d (%s): %w", len(exprs)+1, name, err)
		}
		exprs = append(exprs, e)
		return nil
	})
	return exprs, err
}
