package uplink

import (
	"github.com/policyroute/policyroute/table/internal/host"
)

// CheckGateways refuses gateways that cannot be on this host.
func (u *Spec) CheckGateways(now *host.State) error {
	field := "Gateway"
	if len(u.Defaults) > 0 {
		field = "Defaults"
	}
	for _, a := range u.Gateways() {
		if now.IsLocal(a) {
			return u.FieldError(field, "%s is an address of this host", a)
		}
	}
	return nil
}
