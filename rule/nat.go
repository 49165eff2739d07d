package rule

import (
	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// actionNAT is an action of Linux 2.2 to 2.6. Kernels still accept it.
const actionNAT = Action(route.TypeNAT)

// withoutNAT returns attributes as kernels report them: without the address of
// actionNAT, which kernels do not keep.
func withoutNAT(unknown route.Attributes) route.Attributes {
	return attr.Without(unknown, uapi.FRA_UNUSED2)
}
