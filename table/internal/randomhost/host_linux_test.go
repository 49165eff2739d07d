package randomhost

import (
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// The same seed makes the same host, and the kernel accepts most of its commands.
func TestKernelAccepted(t *testing.T) {
	all, refused := map[string]int{}, map[string]int{}
	object := func(command string) string {
		word, _, _ := strings.Cut(command, " ")
		return word
	}
	for seed := range uint64(20) {
		commands := Generate(seed)
		if !slices.Equal(commands, Generate(seed)) {
			t.Fatalf("seed %d makes different hosts", seed)
		}
		err := Do(func() error {
			h, errs, err := Enter(t.Context(), commands)
			if err != nil {
				return err
			}
			defer h.Close()
			for _, c := range commands {
				all[object(c)]++
			}
			for _, e := range errs {
				refused[object(e.Error())]++
				if testing.Verbose() {
					t.Log(e)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, object := range []string{"address", "neighbour", "nexthop", "route", "rule", "sysctl"} {
		if all[object] < 20 || refused[object] > all[object]/2 {
			t.Errorf("%d of %d commands for a %s are refused", refused[object], all[object], object)
		}
	}
}
