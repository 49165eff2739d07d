package reply_test

import (
	"testing"

	"github.com/policyroute/policyroute/table/internal/tabletest"
)

func TestMain(m *testing.M) { tabletest.Main(m) }
