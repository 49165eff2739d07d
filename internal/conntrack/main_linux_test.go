package conntrack_test

import (
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }
