package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestTurns(t *testing.T) {
	var out strings.Builder
	list := newOrderedOutput(&out, 3).parts
	for _, i := range []int{2, 0, 1} {
		fmt.Fprint(list[i], i)
	}
	if out.String() != "0" {
		t.Errorf("got %q", out.String())
	}
	list[1].Close()
	fmt.Fprint(list[0], "+")
	if out.String() != "0+" {
		t.Errorf("got %q", out.String())
	}
	list[0].Close()
	if out.String() != "0+12" {
		t.Errorf("got %q", out.String())
	}
	fmt.Fprint(list[2], "+")
	list[2].Close()
	if out.String() != "0+12+" {
		t.Errorf("got %q", out.String())
	}
}
