package maintain_test

import (
	"flag"
	"testing"

	"github.com/policyroute/policyroute/table/internal/tabletest"
)

func TestMain(m *testing.M) {
	// Parallel tests wait for most of their time. The flag of a command line comes later.
	flag.Set("test.parallel", "6")
	tabletest.Main(m, maintainChild, hiddenChild, rivalChild)
}
