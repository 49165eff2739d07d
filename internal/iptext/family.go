package iptext

import "github.com/policyroute/policyroute/internal/uapi"

// Families are the names of address families for the option -f of ip(8).
var Families = Enum{
	{N: uapi.AF_UNSPEC, Name: "unspec"},
	{N: uapi.AF_INET, Name: "inet"},
	{N: uapi.AF_INET6, Name: "inet6"},
	{N: uapi.AF_MPLS, Name: "mpls"},
	{N: uapi.RTNL_FAMILY_IPMR, Name: "ipmr"},
	{N: uapi.RTNL_FAMILY_IP6MR, Name: "ip6mr"},
}

// FamilyOption returns the option of ip(8) for a family, such as -6.
func FamilyOption[F ~uint8](f F) []string {
	switch f {
	case uapi.AF_INET:
		return []string{"-4"}
	case uapi.AF_INET6:
		return []string{"-6"}
	}
	return []string{"-f", Families.Name(uint8(f))}
}

// ParseFamilyOption takes a FamilyOption, if there is one, and sets f.
func ParseFamilyOption[F ~uint8](w *Words, f *F) error {
	switch {
	case w.Accept("-4"):
		*f = uapi.AF_INET
	case w.Accept("-6"):
		*f = uapi.AF_INET6
	case w.Accept("-f"):
		s, err := w.Arg("a family")
		if err != nil {
			return err
		}
		n, ok := Families.Number(s)
		if !ok {
			return w.Errorf("not a family%s", Suggest(s, Families.Names()))
		}
		*f = F(n)
	}
	return nil
}
